package reaper_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// TestManyDue: 10 000 jobs are due, 7 000 of them owned. The others are reaped in passes that follow each other
// at once, in transactions of 50.
func TestManyDue(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect()
		for i := range 10_000 {
			id := watchdog.JobID(fmt.Sprintf("%05d", i))
			w.add(id, grace)
			if i%10 < 7 {
				s.mark("1", id)
			}
		}
		w.run()
		w.pass(0)
		assert.Equal(t, 3000, w.seen.reaped[watchdog.ReasonUnfinalized])
		assert.Equal(t, 3, w.seen.passes)
		assert.Equal(t, 60, w.db.called("begin"))
		assert.Equal(t, 3*7000, w.seen.deferred[watchdog.ReasonConnected])
		assert.False(t, w.reaper.Status().Braking, "3 000 of 10 000 in the first pass, and no more over all")
	}, func(o *reaper.Options) { o.Warmup = 0 })
}

// TestManyBraked: when those without proof are too many, none is applied, though a pass's reaps alone would not
// have been.
func TestManyBraked(t *testing.T) {
	inWorld(t, func(w *world) {
		w.addMany("a", 2000, grace)
		w.addMany("b", 1500, -1)
		w.run()
		w.pass(0)
		assert.Empty(t, w.db.reaps)
		assert.Equal(t, 2000, w.seen.deferred[watchdog.ReasonBraking])
	}, func(o *reaper.Options) { o.Warmup = 0 })
}

// TestMalformed: a row that contradicts itself is counted and shown, and the pass goes on.
func TestMalformed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("bad", grace, func(j *watchdog.Job) { j.FinishedAt = j.RunStartedAt.Add(-time.Second) })
		w.add("good", grace)
		w.run()
		w.pass(warmup)
		assert.Equal(t, watchdog.StatusRunning, w.db.get("bad").Status)
		assert.Equal(t, watchdog.StatusQueued, w.db.get("good").Status)
		assert.Equal(t, 1, w.reaper.Status().Malformed)
		q, err := w.reaper.Page(t.Context(), "", 10)
		require.NoError(t, err)
		assert.Equal(t, "it finished before it began", q.Jobs[0].Verdict.Detail)
		w.pass(ceiling)
		assert.Equal(t, watchdog.StatusQueued, w.db.get("bad").Status)
	})
}

func TestPage(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", 0)
		w.add("2", -1)
		w.add("3", grace)
		w.add("4", grace, func(j *watchdog.Job) { j.Status = watchdog.StatusDone })
		s := w.connect()
		s.mark("1", "3")
		q, err := w.reaper.Page(t.Context(), "", 2)
		require.NoError(t, err)
		require.Len(t, q.Jobs, 2)
		assert.Equal(t, watchdog.JobID("2"), q.Next)
		assert.Equal(t, map[string]int{"running": 3, "done": 1}, q.Counts)
		assert.Equal(t, watchdog.ReasonFinalizing, q.Jobs[0].Verdict.Reason)
		assert.Equal(t, time.Now().Add(grace), q.Jobs[0].Verdict.ReapAt)
		q, err = w.reaper.Page(t.Context(), q.Next, 2)
		require.NoError(t, err)
		require.Len(t, q.Jobs, 1)
		assert.Empty(t, q.Next)
		assert.Equal(t, watchdog.ReasonConnected, q.Jobs[0].Verdict.Reason)
		assert.NotNil(t, q.Jobs[0].Claim.Owner)

		q, err = w.reaper.Job(t.Context(), "4")
		require.NoError(t, err)
		assert.Equal(t, watchdog.ReasonClosed, q.Jobs[0].Verdict.Reason)
		_, err = w.reaper.Job(t.Context(), "5")
		assert.ErrorIs(t, err, watchdog.ErrNoJob)

		for _, op := range []string{"open", "counts", "jobs"} {
			w.db.fault(failing(op))
			_, page := w.reaper.Page(t.Context(), "", 2)
			_, job := w.reaper.Job(t.Context(), "1")
			assert.True(t, page != nil && op != "jobs" || job != nil && op != "open", op)
		}
		_, err = w.reaper.Job(t.Context(), "1")
		assert.ErrorIs(t, err, errDown)
	})
}

// TestTogether has pages, switches and figures asked for while passes and deaths are under way, for the race
// detector; each job is reaped once all the same.
func TestTogether(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect()
		for i := range 200 {
			id := watchdog.JobID(fmt.Sprint(i))
			w.add(id, grace)
			if i%2 == 0 {
				s.mark("1", id)
			}
		}
		w.run()
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				for n := range 50 {
					_, err := w.reaper.Page(t.Context(), "", 50)
					assert.NoError(t, err)
					_ = w.reaper.Status()
					w.reaper.Switch(n%2 == 0 || i > 0, "a test")
					w.reaper.ReleaseBrake("a test")
					<-time.After(time.Second)
				}
			})
		}
		w.pass(25 * time.Second)
		s.die()
		all.Wait()
		w.reaper.Switch(true, "a test")
		w.pass(grace)
		assert.Len(t, w.db.reaps, 200)
	})
}
