package reaper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// TestDryRun: judged, counted once for each version and explained; nothing is written, nobody revoked.
func TestDryRun(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("due", grace)
		w.add("dead", 0)
		w.add("old", -1, func(j *watchdog.Job) { j.CreatedAt, j.StartedAt, j.RunStartedAt = agoes(3 * time.Hour) })
		s, live := w.connect(), w.connect()
		s.mark("1", "dead")
		live.mark("1", "old")
		w.run()
		s.die()
		w.pass(0)
		assert.Equal(t, 1, w.seen.would[watchdog.ReasonOwnerDied], "before it is due by age")
		for range 5 {
			w.registry.Recall()
			w.pass(time.Minute)
		}
		want := map[watchdog.Reason]int{watchdog.ReasonOwnerDied: 1, watchdog.ReasonUnfinalized: 1, watchdog.ReasonBackstop: 1}
		assert.Equal(t, want, w.seen.would, "each once")
		assert.Equal(t, 1, w.seen.audited("would reap", "due"))
		assert.Zero(t, w.db.called("begin"))
		assert.Empty(t, w.owners.revoked)
		assert.True(t, w.reaper.Status().DryRun)

		w.claimed("due", "2")
		w.pass(grace + interval)
		assert.Equal(t, 2, w.seen.would[watchdog.ReasonUnfinalized], "another version")
	}, func(o *reaper.Options) { o.DryRun = true })
}

// TestDryRunMany: it counts more than a pass would reap, and keeps to the interval.
func TestDryRunMany(t *testing.T) {
	inWorld(t, func(w *world) {
		w.addMany("a", 2500, grace)
		w.run()
		w.pass(3 * interval)
		assert.Equal(t, map[watchdog.Reason]int{watchdog.ReasonUnfinalized: 2500}, w.seen.would)
		assert.Equal(t, 4, w.seen.passes)
	}, func(o *reaper.Options) { o.DryRun, o.Warmup, o.Policy.BrakeMin = true, 0, 1<<20 })
}
