package reaper_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// within is a span that all that can change in random facts is over after.
const within = 7 * time.Hour

// TestSwitchOff: off, the verdict is the same for every state of the registry, but for holds.
func TestSwitchOff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, f := randomPolicy(t), randomFacts(t)
		f.Enabled = false
		blank := *f
		blank.Claim, blank.NotBefore = watchdog.Claim{HoldUntil: f.Claim.HoldUntil}, 0
		assert.Equal(t, p.Decide(&blank, instant()), p.Decide(f, instant()))
	})
}

// TestLiveOwner: on a guarded stage, under the ceiling, with the switch on, a live finalizer is not reaped, at
// any tier.
func TestLiveOwner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, f := randomPolicy(t), randomFacts(t)
		f.Enabled = true
		o := randomOwner(t, "live", watchdog.Finalizer)
		if o == nil || o.State == watchdog.Dead || !o.Guarded && !p.Guards(f.Job.Stage) {
			return
		}
		o.Run, f.Claim.Owner = f.Job.Run, o
		for _, at := range instants(t) {
			state := o.StateAt(at.Boot)
			live := state != watchdog.Ended && (state != watchdog.Stalled || !p.ReapStalled)
			backstop := p.Backstop(f.Job)
			if live && (backstop.IsZero() || at.Rows.Before(backstop)) {
				assert.NotEqual(t, watchdog.Reap, p.Decide(f, at).Action, "at %s", at.Rows)
			}
		}
	})
}

// TestHold: nothing whatever is reaped within a hold.
func TestHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, f := randomPolicy(t), randomFacts(t)
		for _, at := range instants(t) {
			if at.Boot < f.Claim.HoldUntil {
				assert.NotEqual(t, watchdog.Reap, p.Decide(f, at).Action, "at %s", at.Rows)
			}
		}
	})
}

// TestCeiling: every open job whose age is known is reaped at its ceiling at the latest, or at the end of its
// hold or of a clock jump that reach beyond. (A reap in progress and a standby have no end that could be told.)
func TestCeiling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, f := randomPolicy(t), randomFacts(t)
		f.Pending, f.Doubt.Standby, f.Job.Status = false, false, watchdog.StatusRunning
		latest := p.Backstop(f.Job)
		if latest.IsZero() {
			return
		}
		for _, until := range []time.Duration{f.Claim.HoldUntil, f.Doubt.JumpUntil} {
			if end := instant().At(until); until != 0 && end.After(latest) {
				latest = end
			}
		}
		v := p.Decide(f, instant())
		if latest.Before(instant().Rows) {
			latest = instant().Rows
		}
		assert.False(t, v.ReapAt.IsZero(), "reap_at is known")
		assert.False(t, v.ReapAt.After(latest), "reap_at %s, latest %s", v.ReapAt, latest)
		for _, at := range instants(t) {
			if !at.Rows.Before(latest) {
				assert.Equal(t, watchdog.Reap, p.Decide(f, at).Action, "at %s", at.Rows)
			}
		}
	})
}

// TestForecastsComeTrue: as long as nothing else happens, the verdict is judged to be the same until it was
// said to change, and the job is reaped when it was said to be, no sooner and no later.
func TestForecastsComeTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, f := randomPolicy(t), randomFacts(t)
		first := p.Decide(f, instant())
		told := []watchdog.Instant{}
		for _, at := range []time.Time{first.ChangesAt, first.ReapAt} {
			if !at.IsZero() {
				then := instant().Add(at.Sub(instant().Rows))
				told = append(told, then.Add(-1), then, then.Add(1))
			}
		}
		for _, at := range append(instants(t), told...) {
			v := p.Decide(f, at)
			if at.Boot < boot || !first.ReapAt.IsZero() && at.Rows.After(first.ReapAt) {
				continue
			}
			reaped := !first.ReapAt.IsZero() && at.Rows.Equal(first.ReapAt)
			assert.Equal(t, reaped, v.Action == watchdog.Reap, "at %s", at.Rows)
			assert.True(t, v.ReapAt.Equal(first.ReapAt), "at %s reap_at is %s, was %s", at.Rows, v.ReapAt, first.ReapAt)
			if same := first.ChangesAt.IsZero() || at.Rows.Before(first.ChangesAt); same && !reaped {
				assert.Equal(t, first.Reason, v.Reason, "at %s", at.Rows)
				assert.Equal(t, first.Action, v.Action, "at %s", at.Rows)
			}
			if at.Rows.Equal(first.ChangesAt) {
				assert.NotEqual(t, []any{first.Action, first.Reason}, []any{v.Action, v.Reason}, "at %s", at.Rows)
			}
		}
	})
}

// TestTotal: whatever the facts, there is a verdict, and it is one of those that the design has.
func TestTotal(t *testing.T) {
	waits := []watchdog.Reason{watchdog.ReasonRunning, watchdog.ReasonFinalizing, watchdog.ReasonMalformed,
		watchdog.ReasonClosed, watchdog.ReasonHeld, watchdog.ReasonConnected, watchdog.ReasonReconnecting,
		watchdog.ReasonStalled, watchdog.ReasonBackoff, watchdog.ReasonReaping, watchdog.ReasonBraking}
	rapid.Check(t, func(t *rapid.T) {
		p, f := randomPolicy(t), randomFacts(t)
		if rapid.Bool().Draw(t, "extreme") {
			f.Job.FinishedAt = time.Unix(rapid.Int64().Draw(t, "finished"), 0)
			f.Job.CreatedAt = time.Unix(rapid.Int64().Draw(t, "created"), 0)
			f.Job.Status = rapid.String().Draw(t, "status")
		}
		v := p.Decide(f, instant())
		switch v.Action {
		case watchdog.Reap:
			assert.Equal(t, watchdog.ReapReasons()[v.Reason], v.Tier)
			assert.Equal(t, instant().Rows, v.ReapAt)
			assert.True(t, f.Job.Open())
		case watchdog.Defer:
			assert.Contains(t, watchdog.DeferReasons(), v.Reason)
			assert.True(t, dueByAge(p, f), "a deferral is due by age")
			assert.NotZero(t, v.Tier)
		default:
			assert.Equal(t, watchdog.Wait, v.Action)
			assert.True(t, slices.Contains(waits, v.Reason), "waits for %q", v.Reason)
		}
		assert.Equal(t, v.Reason == watchdog.ReasonMalformed, v.Detail != "", "malformed has a detail")
	})
}

// dueByAge is what the design calls due: r past the ceiling, or f past the grace.
func dueByAge(p *reaper.Policy, f *reaper.Facts) bool {
	now, spans := instant().Rows, *p
	grace := spans.Grace
	if g, ok := spans.StageGrace[f.Job.Stage]; ok {
		grace = g
	}
	backstop := p.Backstop(f.Job)
	return !backstop.IsZero() && !now.Before(backstop) || !f.Job.FinishedAt.IsZero() && now.Sub(f.Job.FinishedAt) >= grace
}

// instants are some at which facts are judged again: on the grid that they are drawn from, and beside it.
func instants(t *rapid.T) []watchdog.Instant {
	all := []watchdog.Instant{instant(), instant().Add(within)}
	for range 10 {
		at := instant().Add(span(t, "later", 0, within))
		all = append(all, at, at.Add(1), at.Add(-1))
	}
	return all
}
