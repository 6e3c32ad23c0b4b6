package main

import (
	"github.com/finalizer-watchdog/watchdog"
)

// tellFuture says what would change the verdict, and when.
func (e *explanation) tellFuture() {
	if text := e.eventText(); text != "" {
		e.say("%s", text)
	}
	v := e.Verdict
	if v.Action == watchdog.Reap {
		e.tellReap()
		return
	}
	if v.ChangesAt != nil {
		e.say("If nothing happens, another rule decides from %s.", moment(e.now, *v.ChangesAt))
	}
	switch {
	case v.ReapAt != nil:
		e.say("If nothing happens, it is reaped at %s.", moment(e.now, *v.ReapAt))
	case v.Reason == watchdog.ReasonMalformed && e.ageless():
		e.say("It is not reaped as it is.")
	case v.Reason != watchdog.ReasonClosed:
		e.say("When it would be reaped cannot be foreseen.")
	}
}

func (e *explanation) tellReap() {
	switch {
	case e.reaper.DryRun:
		e.say("In earnest it would be reaped by the next pass.")
	case e.reaper.LastPassError != nil:
		e.say("It is reaped by the next pass that succeeds. The last one failed: %s.", *e.reaper.LastPassError)
	default:
		e.say("It is reaped by the next pass, within %s.", e.reaper.Settings["WATCHDOG_REAPER_INTERVAL"])
	}
}

// eventText is what may happen at any time and change the verdict; empty when time alone does.
func (e *explanation) eventText() string {
	switch e.Verdict.Reason {
	case watchdog.ReasonConnected:
		if e.Owner != nil && e.Owner.Proof == watchdog.ProofNone {
			return "If it clears, its grace begins; if its process dies, after its lease."
		}
		return "If it clears, its grace begins; if its process dies, it is reaped at once."
	case watchdog.ReasonReconnecting:
		return "If it comes back and resumes, it counts as connected again."
	case watchdog.ReasonStalled:
		return "If it was silent and speaks, or begins another step after one past its budget, it counts as connected again."
	case watchdog.ReasonFinalizing:
		return "A finalizer that marks it in a guarded stage is left alone for as long as it lives."
	case watchdog.ReasonRunning:
		return "When its run finishes, the grace for its finalization begins."
	case watchdog.ReasonBraking:
		return "The brake lets go when fewer are due, or by watchdog brake release."
	case watchdog.ReasonStandby:
		return "It acts as soon as it has the database for itself."
	case watchdog.ReasonWarmingUp:
		return "A finalizer that reconnects and resumes is left alone for as long as it lives."
	case watchdog.ReasonReaping:
		return "It ends with the database's word on that transaction."
	case watchdog.ReasonMalformed:
		return "Correct its rows in the orchestrator's database, and it is judged like any other."
	case watchdog.ReasonClosed:
		return "It is judged again when the orchestrator claims it."
	}
	return ""
}
