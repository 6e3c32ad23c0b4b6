package reaper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// TestPIDGone: a process is believed to be gone when two passes found it so; a monitor stamps its end within
// that time.
func TestPIDGone(t *testing.T) {
	pid := func(n int64) func(*watchdog.Job) { return func(j *watchdog.Job) { j.PID = new(n) } }
	inWorld(t, func(w *world) {
		w.add("1", -1, pid(1))
		w.add("2", -1, pid(2)) // ends, and its monitor stamps it a second later
		w.add("3", -1, pid(3)) // its process goes on
		w.add("4", -1, pid(4), func(j *watchdog.Job) {
			// Old enough for the least ceiling, not for its own: it is read twice in a pass.
			j.CreatedAt = time.Now().Add(-2 * time.Hour)
			j.StartedAt, j.RunStartedAt, j.Stage = j.CreatedAt, j.CreatedAt, "slow"
		})
		w.add("5", -1, pid(5))
		w.run()
		w.pass(time.Second)
		assert.Empty(t, w.db.reaps)
		w.db.put(w.db.get("5")) // claimed again: its process is another
		q, err := w.reaper.Job(t.Context(), "1")
		assert.NoError(t, err)
		assert.Equal(t, time.Now().Add(interval-time.Second), q.Jobs[0].Verdict.ReapAt)
		j := w.db.get("2")
		j.FinishedAt = time.Now()
		w.db.put(j)
		w.pass(interval)
		assert.Equal(t, map[watchdog.Reason]int{watchdog.ReasonWorkerDied: 2}, w.seen.reaped)
		assert.Equal(t, watchdog.StatusQueued, w.db.get("1").Status)
		assert.Equal(t, watchdog.StatusQueued, w.db.get("4").Status)
		assert.Zero(t, w.seen.lost, "no job is reaped twice in a pass")
		assert.Equal(t, []time.Duration{-1, -1}, w.seen.recovery, "when they went is not known")
		assert.Equal(t, watchdog.StatusRunning, w.db.get("5").Status)
		w.pass(interval)
		assert.Equal(t, watchdog.StatusQueued, w.db.get("5").Status)
	}, func(o *reaper.Options) {
		o.PIDGone = func(pid int64) bool { return pid != 3 }
		o.Policy.StageCeiling = map[string]time.Duration{"slow": 4 * time.Hour}
	})
}

// TestManyProcessesGoneAtOnce are likelier a pid namespace that is not ours than that many deaths: the brake counts them.
func TestManyProcessesGoneAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.addMany("a", 20, -1)
		for _, id := range w.db.ids {
			j := w.db.get(id)
			j.PID = new(int64(3))
			w.db.put(j)
		}
		w.run()
		w.pass(5 * interval)
		assert.Empty(t, w.db.reaps)
		assert.True(t, w.reaper.Status().Braking)
		w.reaper.ReleaseBrake("a test")
		w.pass(interval)
		assert.Len(t, w.db.reaps, 20)
	}, func(o *reaper.Options) { o.PIDGone = func(int64) bool { return true } })
}
