package reaper_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

func standsBy(context.Context) error { return errors.New("another watchdog has the database") }

func TestWarmup(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", grace)
		w.run()
		w.pass(warmup - time.Second)
		assert.Empty(t, w.db.reaps)
		assert.True(t, w.reaper.Status().WarmingUp)
		assert.Equal(t, 3, w.seen.deferred[watchdog.ReasonWarmingUp])
		w.pass(time.Second)
		assert.Len(t, w.db.reaps, 1)
		assert.False(t, w.reaper.Status().WarmingUp)
		assert.Equal(t, []time.Duration{warmup}, w.seen.recovery)
	})
}

// TestClockJump: the clock of the rows moves otherwise than time does. Nothing is judged by age for one grace,
// not even by the backstop; a proven death goes on.
func TestClockJump(t *testing.T) {
	for _, jump := range []time.Duration{3 * time.Hour, -3 * time.Hour, grace/2 + time.Second} {
		t.Run(jump.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.run()
				w.pass(warmup + time.Second)
				w.db.mu.Lock()
				w.db.ahead = jump
				w.db.mu.Unlock()
				w.add("old", -1, func(j *watchdog.Job) {
					j.CreatedAt = time.Now().Add(-6 * time.Hour)
					j.StartedAt, j.RunStartedAt = j.CreatedAt, j.CreatedAt
				})
				w.add("dead", 0, func(j *watchdog.Job) {
					j.CreatedAt = time.Now().Add(-6 * time.Hour)
					j.StartedAt, j.RunStartedAt, j.FinishedAt = j.CreatedAt, j.CreatedAt, time.Now().Add(-5*time.Hour)
				})
				s := w.connect()
				s.mark("1", "dead")
				w.pass(interval)
				assert.True(t, w.reaper.Status().ClockJump)
				s.die()
				w.pass(grace - interval)
				assert.Equal(t, map[watchdog.Reason]int{watchdog.ReasonOwnerDied: 1}, w.seen.reaped)
				assert.Positive(t, w.seen.deferred[watchdog.ReasonClockJump])
				w.pass(2 * interval)
				assert.False(t, w.reaper.Status().ClockJump)
				assert.Equal(t, 1, w.seen.reaped[watchdog.ReasonBackstop])
			}, func(o *reaper.Options) { o.DatabaseClock = true })
		})
	}
	t.Run("a little", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.run()
			w.pass(interval)
			w.db.mu.Lock()
			w.db.ahead = grace / 2
			w.db.mu.Unlock()
			w.pass(interval)
			assert.False(t, w.reaper.Status().ClockJump)
		}, func(o *reaper.Options) { o.DatabaseClock = true })
	})
}

// TestStandby: while another has the database, or whose it is cannot be told, no age rule acts.
// TestHostsInstantHasNoMonotonicReading: two instants that had one would be compared by it, and never differ by what
// the clock was set by. (In a bubble there is no such reading to forget.)
func TestHostsInstantHasNoMonotonicReading(t *testing.T) {
	_, at, err := newWorld(t).reaper.Jobs(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, at.Rows.Round(0).String(), at.Rows.String())
}

func TestStandby(t *testing.T) {
	var free atomic.Bool
	inWorld(t, func(w *world) {
		w.add("due", grace)
		w.add("old", -1, func(j *watchdog.Job) { j.CreatedAt, j.StartedAt, j.RunStartedAt = agoes(3 * time.Hour) })
		w.add("dead", 0)
		s := w.connect()
		s.mark("1", "dead")
		w.run()
		s.die()
		w.pass(time.Minute)
		assert.Equal(t, map[watchdog.Reason]int{watchdog.ReasonOwnerDied: 1}, w.seen.reaped)
		assert.Equal(t, "another watchdog has the database", w.reaper.Status().StandbyReason)
		free.Store(true)
		w.pass(interval)
		assert.Len(t, w.db.reaps, 3)
		assert.False(t, w.reaper.Status().Standby)
		assert.Empty(t, w.reaper.Status().StandbyReason)
	}, func(o *reaper.Options) {
		o.Exclusive = func(ctx context.Context) error {
			if free.Load() {
				return nil
			}
			return standsBy(ctx)
		}
	})
}

func agoes(ago time.Duration) (a, b, c time.Time) {
	at := time.Now().Add(-ago)
	return at, at, at
}

// addMany adds n jobs that are due by age.
func (w *world) addMany(prefix string, n int, finished time.Duration) {
	for i := range n {
		w.add(watchdog.JobID(fmt.Sprintf("%s%05d", prefix, i)), finished)
	}
}

// TestBrake: many at once without proof are deferred, all of them; what is proven, and the backstop, goes on,
// also behind more jobs than a pass reaps. Released, they are reaped.
func TestBrake(t *testing.T) {
	inWorld(t, func(w *world) {
		w.addMany("a", 1500, grace)
		w.add("z", -1, func(j *watchdog.Job) { j.CreatedAt, j.StartedAt, j.RunStartedAt = agoes(3 * time.Hour) })
		w.run()
		w.pass(0)
		assert.True(t, w.reaper.Status().Braking)
		assert.Equal(t, 1500, w.seen.deferred[watchdog.ReasonBraking])
		assert.Equal(t, map[watchdog.Reason]int{watchdog.ReasonBackstop: 1}, w.seen.reaped)
		assert.Equal(t, 1, w.seen.audited("deferred", "a00000"))
		q, err := w.reaper.Job(t.Context(), "a00000")
		assert.NoError(t, err)
		assert.Equal(t, watchdog.ReasonBraking, q.Jobs[0].Verdict.Reason)

		w.reaper.ReleaseBrake("a test")
		w.pass(0)
		assert.Equal(t, 1500, w.seen.reaped[watchdog.ReasonUnfinalized])
		assert.False(t, w.reaper.Status().Braking)

		w.pass(2 * grace) // until the window is empty, the brake stays released
		w.addMany("b", 100, grace)
		w.pass(interval)
		assert.True(t, w.reaper.Status().Braking, "a release is for once")
	}, func(o *reaper.Options) { o.Warmup = 0 })
}

// TestBrakeWindow: few at a time are many too, over a grace; and the brake lets go by itself.
func TestBrakeWindow(t *testing.T) {
	inWorld(t, func(w *world) {
		w.addMany("live", 20, -1)
		w.run()
		for i := range 4 {
			w.addMany(fmt.Sprint("dead", i), 6, grace)
			w.pass(interval)
		}
		// 6 of 26, 12 of 32, 18 of 38, and 24 of 44 are more than half.
		assert.Equal(t, 18, w.seen.reaped[watchdog.ReasonUnfinalized])
		assert.True(t, w.reaper.Status().Braking)
		w.pass(grace)
		assert.False(t, w.reaper.Status().Braking)
		assert.Equal(t, 24, w.seen.reaped[watchdog.ReasonUnfinalized])
	}, func(o *reaper.Options) { o.Warmup = 0 })
}

// TestBrakeMin: below the least number all may be reaped.
func TestBrakeMin(t *testing.T) {
	inWorld(t, func(w *world) {
		w.addMany("a", 9, grace)
		w.run()
		w.pass(0)
		assert.Equal(t, 9, w.seen.reaped[watchdog.ReasonUnfinalized])
	}, func(o *reaper.Options) { o.Warmup = 0 })
}

// TestTheBrakeHolds from pass to pass while nothing changes: what is deferred for it counts as it did when it was pulled.
func TestTheBrakeHolds(t *testing.T) {
	inWorld(t, func(w *world) {
		w.addMany("a", 100, grace)
		w.run()
		w.pass(5 * interval)
		assert.True(t, w.reaper.Status().Braking)
		assert.Zero(t, w.seen.reaped[watchdog.ReasonUnfinalized])
	}, func(o *reaper.Options) { o.Warmup = 0 })
}

// TestTheBrakeCountsPendingReaps: those whose commit has no known outcome were, or will be, reaped too.
func TestTheBrakeCountsPendingReaps(t *testing.T) {
	inWorld(t, func(w *world) {
		w.addMany("live", 40, -1)
		w.db.fault(failing("commit"))
		w.run()
		for i := range 10 {
			w.addMany(fmt.Sprint("dead", i), 8, grace)
			w.pass(interval)
		}
		assert.LessOrEqual(t, w.reaper.Status().Pending, 60, "of 120 open jobs, within one grace")
	}, func(o *reaper.Options) { o.Warmup = 0 })
}

// TestTheSwitchHoldsForThePassInFlight: once it was answered that ownership counts again, no live owner is reaped by a
// pass that judged without it.
func TestTheSwitchHoldsForThePassInFlight(t *testing.T) {
	inWorld(t, func(w *world) {
		w.addMany("a", 200, grace)
		s := w.connect()
		for _, id := range w.db.ids {
			s.mark("1", id)
		}
		w.switched.Store(false)
		w.db.fault(slowly("commit", time.Second))
		w.run()
		time.Sleep(1500 * time.Millisecond)
		w.reaper.Switch(true, "a test")
		w.pass(10 * time.Second)
		assert.Len(t, w.db.reaps, 100, "one was committed, one was under way")
		assert.NotZero(t, w.seen.lost)
	}, func(o *reaper.Options) { o.Warmup = 0; o.Policy.BrakeMin = 1000 })
}
