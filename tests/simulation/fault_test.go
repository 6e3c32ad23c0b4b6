package simulation

import (
	"fmt"
	"time"
)

// fault is something that happens to the world, or that somebody does to it.
type fault struct {
	kind    string
	at      time.Duration
	lasts   time.Duration
	which   int // the process, the job, or the effect counted from at, by kind
	effect  string
	after   bool // rather than before
	variant int
	dice    uint64
}

func (f fault) String() string {
	text := fmt.Sprintf("%v %s", f.at.Round(time.Millisecond), f.kind)
	switch f.kind {
	case "kill":
		when := "before"
		if f.after {
			when = "after"
		}
		return fmt.Sprintf("%s the watchdog %s its effect no. %d %s, for %v, variant %d", text, when, f.which, f.effect, f.lasts, f.variant)
	case "die", "pause", "cut":
		return fmt.Sprintf("%s process %d, for %v, variant %d", text, f.which, f.lasts, f.variant)
	}
	return fmt.Sprintf("%s for %v, which %d, variant %d", text, f.lasts, f.which, f.variant)
}

// kinds are the faults that there are, each as often as it is to happen.
var kinds = []string{
	"kill", "kill", "kill", "kill", "kill",
	"freeze", "freeze", "die", "die", "die", "die", "pause", "pause", "pause", "cut", "cut", "cut", "cut", "cut",
	"failing", "slow", "hanging", "commits", "commits",
	"step", "switch", "takeover", "lock", "suspend", "lies", "lies", "lies",
}

func newFault(d dice, p *plan) fault {
	s := p.settings
	f := fault{kind: kinds[d.IntN(len(kinds))], at: d.span(0, s.horizon()), which: d.IntN(processes),
		variant: d.IntN(4), after: d.one(2), dice: d.Uint64()}
	switch f.kind {
	case "kill":
		f.lasts = d.rough(3 * s.lease)
		f.which = int(d.rough(20))
		f.effect = []string{"", "", "commit", "commit", "requeue", "begin", "lock", "jobs", "due", "reply", "reply"}[d.IntN(11)]
	case "freeze": // seldom so short that nobody misses it
		f.lasts = d.span(0, s.lease) + d.rough(8*s.lease)
	case "pause", "switch":
		f.lasts = d.rough(s.policy.Ceiling)
	case "cut":
		f.lasts = d.rough(s.lease)
	case "die":
		f.lasts = d.rough(2 * s.policy.Grace)
	case "failing", "slow", "hanging":
		f.lasts = d.rough(s.policy.Grace)
	case "step":
		f.lasts = d.span(0, 2*s.policy.Grace)
	case "suspend", "lies":
		f.lasts = d.rough(s.policy.Ceiling)
	case "takeover", "lock", "commits":
		f.which = d.IntN(len(p.jobs))
		f.lasts = d.rough(s.statement)
	}
	return f
}
