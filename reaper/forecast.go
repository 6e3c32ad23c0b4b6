package reaper

import (
	"slices"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// Decide is the verdict on a job at an instant, with what will become of it if nothing else happens: its
// owner goes on beating or stays away, no clock jumps, the doubts without an end stay.
func (p *Policy) Decide(f *Facts, at watchdog.Instant) watchdog.Verdict {
	v := p.rule(f, at)
	if v.Action == watchdog.Reap {
		v.ReapAt, v.DueSince = at.Rows, p.dueSince(v.Reason, f, at)
		return v
	}
	for _, ahead := range p.turns(f, at) {
		then := at.Add(ahead)
		next := p.rule(f, then)
		if next.Action == watchdog.Reap {
			v.ReapAt = then.Rows
			break
		}
		if v.ChangesAt.IsZero() && (next.Action != v.Action || next.Reason != v.Reason) {
			v.ChangesAt = then.Rows
		}
	}
	return v
}

// horizon is how far a forecast looks: a row may name a year that no clock of ours can count to.
const horizon = 100 * 365 * 24 * time.Hour

// turns are the spans from the instant, in order, after which another rule may hold. No verdict changes
// between two of them.
func (p *Policy) turns(f *Facts, at watchdog.Instant) []time.Duration {
	var turns []time.Duration
	boot := func(t time.Duration) {
		if t > at.Boot {
			turns = append(turns, t-at.Boot)
		}
	}
	rows := func(t time.Time) {
		if ahead := t.Sub(at.Rows); ahead > 0 && ahead < horizon {
			turns = append(turns, ahead)
		}
	}
	boot(f.Claim.HoldUntil)
	boot(f.NotBefore)
	boot(f.GoneFrom)
	boot(f.Doubt.WarmUntil)
	boot(f.Doubt.JumpUntil)
	for _, o := range []*watchdog.Owner{f.Claim.Owner, f.Claim.Worker} {
		if o != nil {
			boot(o.LeaseUntil)
			boot(o.StepUntil)
		}
	}
	rows(p.Backstop(f.Job))
	grace := p.grace(f.Job.Stage)
	if f.Job.Finished() {
		rows(p.graceEnd(f, at))
	}
	if o := f.Claim.Owner; o != nil && o.State == watchdog.Reconnecting {
		boot(o.LeaseUntil + grace)
	}
	for _, m := range moments(f.Job) {
		rows(m.at.Add(-grace / 2))
	}
	slices.Sort(turns)
	return slices.Compact(turns)
}
