package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/finalizer-watchdog/watchdog"
)

// explanation tells of one job, from an answer of /queue and nothing else.
type explanation struct {
	queueJob
	reaper reaperAnswer
	now    time.Time
	w      io.Writer
}

// explain prints what is known of the answer's job, which rule decides, and what would change that.
func explain(w io.Writer, a queueAnswer) {
	e := explanation{queueJob: a.Jobs[0], reaper: a.Reaper, now: a.Now, w: w}
	fmt.Fprintf(w, "job %s: %s\n\nwhat is known at %s\n", printable(e.Job), e.headline(), e.now.UTC().Format(time.RFC3339))
	e.tellJob()
	e.tellOwner("finalizer", e.Owner)
	e.tellOwner("worker", e.Worker)
	e.tellPromises()
	fmt.Fprint(w, "\nwhich rule decides\n")
	e.tellRule()
	fmt.Fprint(w, "\nwhat would change it\n")
	e.tellFuture()
}

func (e *explanation) say(format string, args ...any) {
	fmt.Fprintf(e.w, "  %s\n", printable(fmt.Sprintf(format, args...)))
}

// printable is a text without what could steer a terminal: a task or a stage is whatever somebody has written.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

func (e *explanation) headline() string {
	tier := ""
	if t := e.Verdict.Tier; t != nil {
		tier = fmt.Sprintf("tier %d, ", *t)
	}
	return fmt.Sprintf("%s (%s%s)", e.Verdict.Action, tier, e.Verdict.Reason)
}

func (e *explanation) tellJob() {
	what := "Status " + or(e.Status, "unknown")
	if e.Attempt != nil {
		what += fmt.Sprintf(", attempt %d", *e.Attempt)
	}
	if e.Stage != nil {
		what += ", stage " + *e.Stage
	}
	if e.Task != nil {
		what += ", task " + *e.Task
	}
	e.say("%s.", what)
	switch {
	case e.Run == nil && e.StartedAt != nil:
		e.say("It started %s. It has no run since.", moment(e.now, *e.StartedAt))
	case e.Run == nil && e.CreatedAt != nil:
		e.say("It was created %s. It has no run that counts.", moment(e.now, *e.CreatedAt))
	case e.Run == nil:
		e.say("Neither a start nor a run is known.")
	default:
		e.tellRun()
	}
}

func (e *explanation) tellRun() {
	began := ""
	if e.RunStartedAt != nil {
		began = " started " + moment(e.now, *e.RunStartedAt) + " and"
	}
	if e.FinishedAt == nil {
		e.say("Run %s%s has not finished.", *e.Run, began)
		return
	}
	exit := ""
	if e.ExitCode != nil {
		exit = fmt.Sprintf(", with exit code %d", *e.ExitCode)
	}
	e.say("Run %s%s finished %s%s.", *e.Run, began, moment(e.now, *e.FinishedAt), exit)
}

// tellOwner tells of an ownership: whose it is, what is known of its owner, and how its death would be.
func (e *explanation) tellOwner(role string, o *queueOwner) {
	if o == nil {
		if role == "finalizer" {
			e.say("No finalizer owns it.")
		}
		return
	}
	who := fmt.Sprintf("uid %d", o.UID)
	if o.PID != nil {
		who = fmt.Sprintf("pid %d, %s", *o.PID, who)
	}
	beat := time.Duration(o.BeatAge * float64(time.Second))
	e.say("Its %s is %q (%s): %s; it last spoke %s ago.", role, or(o.Name, ""), who, e.stateText(o), spoken(beat))
	if o.MarkedAt != nil {
		e.say("It marked the job %s.", moment(e.now, *o.MarkedAt))
	}
	if o.State != watchdog.Dead {
		e.say("%s", proofText(o.Proof))
	}
	if o.Step != nil && o.StepUntil != nil {
		e.say("Its step is %q, with a budget until %s.", *o.Step, moment(e.now, *o.StepUntil))
	} else if o.Step != nil {
		e.say("Its step is %q, without a budget.", *o.Step)
	}
}

func (e *explanation) stateText(o *queueOwner) string {
	at := func(text string, t *time.Time) string {
		if t == nil {
			return text
		}
		return text + ", " + moment(e.now, *t)
	}
	switch o.State {
	case watchdog.Connected:
		return "connected"
	case watchdog.Reconnecting:
		return at("its connection ended and it may come back until its lease lapses", o.LeaseUntil)
	case watchdog.Stalled:
		return "connected, but silent past its lease or past its step's budget"
	case watchdog.Dead:
		return at("dead, the kernel told the exit of its process", o.DiedAt)
	}
	return string(o.State)
}

func proofText(p watchdog.Proof) string {
	if p == watchdog.ProofNone {
		return "Its death could not be proven: it would be silence until the lease and the grace are over."
	}
	return fmt.Sprintf("Its death would be told by the kernel at once (%s).", p)
}

func (e *explanation) tellPromises() {
	if e.HeldUntil != nil {
		e.say("A check promised that nobody takes it until %s.", moment(e.now, *e.HeldUntil))
	}
	if e.ClearedAt != nil {
		e.say("An owner of this run let go of it %s.", moment(e.now, *e.ClearedAt))
	}
	if e.Verdict.Detail != nil {
		e.say("Something is wrong with it: %s.", strings.TrimSuffix(*e.Verdict.Detail, "."))
	}
}
