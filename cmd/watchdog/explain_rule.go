package main

import (
	"fmt"
	"strconv"

	"github.com/finalizer-watchdog/watchdog"
)

// tellRule says why the verdict is what it is.
func (e *explanation) tellRule() {
	switch e.Verdict.Action {
	case watchdog.Defer:
		e.say("By its age alone it would be reaped, and something forbids that:")
	case watchdog.Reap:
		e.say("It is to be reaped%s: %s", e.sinceText(), e.endText())
	default:
		e.say("It is left alone:")
	}
	e.say("%s", e.reasonText())
	if why := e.ignored(); why != "" {
		e.say("The finalizer's ownership has no influence: %s.", why)
	}
	if e.reaper.DryRun {
		e.say("This is a dry run: whatever is decided is counted and told, and nothing is written.")
	}
}

// sinceText says since when it waits to be reaped, where that is known.
func (e *explanation) sinceText() string {
	if e.Verdict.DueSince == nil {
		return ""
	}
	return ", and due since " + moment(e.now, *e.Verdict.DueSince)
}

// endText says what becomes of a job that is reaped.
func (e *explanation) endText() string {
	most := e.reaper.Settings["WATCHDOG_REAPER_MAX_ATTEMPTS"]
	limit, err := strconv.ParseInt(most, 10, 64)
	switch {
	case e.Attempt == nil || err != nil:
		return "handed back to the orchestrator, or failed after too many attempts."
	case *e.Attempt >= limit:
		return fmt.Sprintf("failed, not requeued, after attempt %d of %s.", *e.Attempt, most)
	}
	return fmt.Sprintf("requeued, after attempt %d of %s.", *e.Attempt, most)
}

// ignored says why the ownership that the job has does not count; empty when it does, or there is none.
func (e *explanation) ignored() string {
	switch {
	case e.Owner == nil:
		return ""
	case !e.reaper.LivenessEnabled:
		return "the switch is off"
	case !e.reaper.guards(or(e.Stage, ""), e.Owner):
		return "the stage is not guarded (WATCHDOG_REAPER_GUARDED_STAGES)"
	}
	return ""
}

// reasonText is the rule behind each reason, as one sentence.
func (e *explanation) reasonText() string {
	stage := or(e.Stage, "")
	grace, ceiling := e.reaper.grace(stage), e.reaper.ceiling(stage)
	switch e.Verdict.Reason {
	case watchdog.ReasonBackstop:
		return "It is older than its ceiling (" + ceiling + "), past which nothing but a running hold protects it."
	case watchdog.ReasonOwnerDied:
		return "Its run finished, and the kernel proved that its finalizer's process is gone: no grace is needed."
	case watchdog.ReasonUnfinalized:
		return "Its run finished more than the grace (" + grace + ") ago, and nobody finalizes it whose ownership counts."
	case watchdog.ReasonWorkerDied:
		return "Its run never finished, and its worker's process is gone."
	case watchdog.ReasonHeld:
		return "The hold that a check promised is running, and no rule breaks a hold."
	case watchdog.ReasonConnected:
		return "Its finalizer lives and is connected, and its ownership counts."
	case watchdog.ReasonReconnecting:
		return "Its finalizer's connection ended, which is silence and no proof of death: its lease runs."
	case watchdog.ReasonStalled:
		return "Its finalizer is stuck or silent, but not dead: by WATCHDOG_REAPER_REAP_STALLED=false it is left to the backstop."
	case watchdog.ReasonWarmingUp:
		return "The watchdog has just started: finalizers may be reconnecting, and nothing is reaped for its age alone."
	case watchdog.ReasonClockJump:
		return "The clock that stamps the rows jumped, and no age is believed for one grace."
	case watchdog.ReasonBraking:
		return "The reaper brakes: so many jobs at once would be reaped without proof that it doubts itself."
	case watchdog.ReasonStandby:
		return "This watchdog stands by and applies no age rule: " + or(e.reaper.StandbyReason, "another has the database") + "."
	case watchdog.ReasonBackoff:
		return "Its finalizer died, as one did not long ago: a second recovery of one job waits."
	case watchdog.ReasonReaping:
		return "A reap of it has begun and its outcome is not known yet: it is tried again until it is."
	case watchdog.ReasonRunning:
		return "Its run goes on, as far as is known, and it is younger than its ceiling (" + ceiling + ")."
	case watchdog.ReasonFinalizing:
		return "Its run finished, or an owner let go of it, less than the grace (" + grace + ") ago."
	case watchdog.ReasonMalformed:
		if e.ageless() {
			return "Its facts contradict each other or cannot be read, and nothing tells its age: no rule acts on such a job."
		}
		return "Its facts contradict each other or cannot be read, and only the backstop (" + ceiling + ") acts on such a job."
	case watchdog.ReasonClosed:
		return "It is not running in the database: there is nothing to finalize."
	}
	return "The watchdog's reason is " + string(e.Verdict.Reason) + ", which this program does not know."
}
