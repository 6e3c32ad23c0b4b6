package reaper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// passesAnHour is one each interval, and the first.
const passesAnHour = int(time.Hour/interval) + 1

// TestCost counts what an hour costs the database, in calls: nothing may spin, whatever cannot be done.
func TestCost(t *testing.T) {
	dieWith := func(w *world, change ...func(*watchdog.Job)) {
		w.add("1", 0, change...)
		s := w.connect()
		s.mark("1", "1")
		s.die()
	}
	const pass = passesAnHour + 2*60 // each reads once; each minute the jobs and the clock are compared
	for name, c := range map[string]struct {
		begin  func(w *world)
		change func(o *reaper.Options)
		most   int
	}{
		"idle":              {func(*world) {}, nil, pass + 2},
		"the database down": {func(w *world) { w.db.fault(func(string, watchdog.JobID) error { return errDown }) }, nil, 250},
		"the database down, a dead owner": {func(w *world) {
			dieWith(w)
			w.db.fault(func(string, watchdog.JobID) error { return errDown })
		}, nil, 250 + 1000},
		"no transaction begins, a dead owner": {func(w *world) {
			dieWith(w)
			w.db.fault(failing("begin"))
		}, nil, 250*3 + 2*1000},
		"no update succeeds, a dead owner": {func(w *world) {
			dieWith(w)
			w.db.fault(failing("requeue"))
		}, nil, pass + 5*(passesAnHour+1100)},
		"no commit succeeds, a dead owner": {func(w *world) {
			dieWith(w)
			w.db.fault(failing("commit"))
		}, nil, pass + 4*1100},
		"a race that is always lost": {func(w *world) {
			dieWith(w)
			w.db.fault(func(op string, id watchdog.JobID) error {
				if op == "lock" {
					w.db.put(w.db.get(id))
				}
				return nil
			})
		}, nil, pass + 4*(passesAnHour+1100)},
		"a dead owner under an unguarded stage, braking": {func(w *world) {
			w.addMany("a", 20, grace)
			dieWith(w, func(j *watchdog.Job) { j.Stage = "review" })
		}, nil, pass + 2*passesAnHour + 2},
		"dry run, a dead owner, and one past its ceiling": {func(w *world) {
			dieWith(w)
			w.add("2", -1, func(j *watchdog.Job) { j.CreatedAt, j.StartedAt, j.RunStartedAt = agoes(3 * time.Hour) })
			s := w.connect()
			s.mark("1", "2")
			s.die()
		}, func(o *reaper.Options) { o.DryRun = true }, pass + 4},
		"standing by, jobs past their ceilings": {func(w *world) {
			w.addMany("a", 20, 3*time.Hour)
			dieWith(w)
		}, func(o *reaper.Options) { o.Exclusive = standsBy }, pass + 10},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				c.begin(w)
				w.run()
				w.pass(time.Hour)
				assert.LessOrEqual(t, w.db.count(), c.most)
			}, func(o *reaper.Options) {
				if c.change != nil {
					c.change(o)
				}
			})
		})
	}
}

// TestLockedBatch: when every row of more than a pass reaps is locked, the passes keep to the interval.
func TestLockedBatch(t *testing.T) {
	inWorld(t, func(w *world) {
		w.addMany("a", 1001, grace)
		w.db.fault(failing("lock"))
		w.run()
		w.pass(10 * interval)
		assert.Equal(t, 11, w.seen.passes)
		assert.Zero(t, w.seen.failures)
		w.db.fault(nil)
		w.pass(interval)
		assert.Len(t, w.db.reaps, 1001)
	}, func(o *reaper.Options) { o.Warmup = 0; o.Policy.BrakeMin = 1 << 20 })
}
