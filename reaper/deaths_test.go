package reaper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// TestDeadInHold: the hold outlives its holder, and the job is recovered to the moment when it ends.
func TestDeadInHold(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", 0)
		s := w.connect()
		s.mark("1", "1")
		w.run()
		assert.True(t, s.check("1"))
		s.die()
		calls := w.db.called("jobs")
		w.pass(hold - time.Millisecond)
		assert.Empty(t, w.db.reaps)
		assert.Equal(t, calls+1, w.db.called("jobs"), "one look, and then none until the hold ends")
		w.pass(time.Millisecond)
		assert.Len(t, w.db.reaps, 1)
		assert.Equal(t, []time.Duration{hold}, w.seen.recovery)
	})
}

// TestDeadInHoldClosed: somebody else finalized the job of a dead owner before its hold ended. It is looked at
// once more, and forgotten.
func TestDeadInHoldClosed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", 0)
		s := w.connect()
		s.mark("1", "1")
		w.run()
		assert.True(t, s.check("1"))
		s.die()
		w.pass(time.Second)
		j := w.db.get("1")
		j.Status = watchdog.StatusDone
		w.db.put(j)
		calls := w.db.called("jobs")
		w.pass(hold + time.Minute)
		assert.Equal(t, calls+1, w.db.called("jobs"))
		assert.Empty(t, w.db.reaps)
	})
}

// TestBackoff: the second death waits twice the interval, each further one twice as long, up to the grace; and
// what is long ago is forgotten.
func TestBackoff(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", 0)
		w.run()
		deaths := 0
		die := func(after time.Duration) {
			t.Helper()
			deaths++
			run := watchdog.RunID(fmt.Sprint(deaths))
			w.claimed("1", run)
			s := w.connect()
			assert.True(t, s.mark(run, "1"))
			reaped := len(w.db.reaps)
			s.die()
			if after > 0 {
				w.pass(after - time.Millisecond)
				assert.Len(t, w.db.reaps, reaped, "too soon")
				w.pass(time.Millisecond)
			}
			w.pass(0)
			assert.Len(t, w.db.reaps, reaped+1)
		}
		die(0)
		for _, after := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, grace} {
			die(after)
		}
		w.pass(ceiling + interval)
		die(0)
	}, func(o *reaper.Options) { o.Policy.MaxAttempts = 100 })
}

// TestBackoffOfStage: a stage's own grace bounds the backoff, however often its owners died.
func TestBackoffOfStage(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run()
		for i := range 3 {
			run := watchdog.RunID(fmt.Sprint(i))
			w.add("1", 0)
			w.claimed("1", run)
			s := w.connect()
			s.mark(run, "1")
			s.die()
			w.pass(18 * time.Second)
			assert.Len(t, w.db.reaps, i+1)
		}
		assert.Equal(t, []time.Duration{0, 10 * time.Second, 18 * time.Second}, w.seen.recovery)
	}, func(o *reaper.Options) {
		o.Policy.MaxAttempts = 100
		o.Policy.StageGrace = map[string]time.Duration{"deploy-staging": 18 * time.Second}
	})
}

// ownMany adds n jobs that have just finished, all marked by one session.
func (w *world) ownMany(n int) *session {
	s := w.connect()
	for i := range n {
		id := watchdog.JobID(fmt.Sprint(i))
		w.add(id, 0)
		s.mark("1", id)
	}
	return s
}

// TestManyDeaths: the deaths of one session share transactions, of 50 jobs each, however little else is sure:
// neither brake nor warm-up nor standby keeps them.
func TestManyDeaths(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.ownMany(1200)
		w.run()
		begun, read := w.db.called("begin"), w.db.called("jobs")
		s.die()
		w.pass(0)
		assert.Len(t, w.db.reaps, 1200)
		assert.Equal(t, 24, w.db.called("begin")-begun)
		assert.Equal(t, 3, w.db.called("jobs")-read)
	}, func(o *reaper.Options) { o.Exclusive = standsBy })
}

// TestManyDeathsUnread: when they cannot be read at first, they are tried again in batches.
func TestManyDeathsUnread(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.ownMany(1200)
		w.run()
		w.db.fault(failing("jobs"))
		s.die()
		w.pass(time.Minute)
		assert.Less(t, w.db.called("jobs"), 3*30)
		w.db.fault(func(op string, _ watchdog.JobID) error {
			if op == "jobs" {
				<-time.After(5 * time.Second) // all are due again when it fails
				return errDown
			}
			return nil
		})
		w.pass(time.Minute)
		w.db.fault(nil)
		w.pass(11 * time.Second) // the read that goes on fails, and what it was for waits five seconds at most
		assert.Len(t, w.db.reaps, 1200)
		assert.LessOrEqual(t, w.db.most, 500)
	})
}

// TestDeadUnguarded: a death that proves nothing, under a stage that is not guarded, leaves the job to its age.
func TestDeadUnguarded(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", time.Second, func(j *watchdog.Job) { j.Stage = "review" })
		s := w.connect()
		s.mark("1", "1")
		w.run()
		s.die()
		w.pass(grace - time.Second/2)
		assert.Equal(t, 1, w.db.called("jobs"), "looked at once")
		w.registry.Recall() // due by age, but only a pass judges by that
		w.pass(0)
		assert.Equal(t, 2, w.db.called("jobs"))
		assert.Empty(t, w.db.reaps)
		w.pass(time.Second)
		assert.Equal(t, 1, w.seen.reaped[watchdog.ReasonUnfinalized])
		assert.Equal(t, 2, w.db.called("jobs"))
	})
}

// TestWorkerDied is Tier 1, at once; but for a live finalizer, and then when that has ended too.
func TestWorkerDied(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", -1)
		w.add("2", -1)
		s, finalizer := w.connect(), w.connect()
		s.markAs("worker", "1", "1", "2")
		finalizer.mark("1", "2")
		w.run()
		s.die()
		w.pass(0)
		assert.Equal(t, watchdog.StatusQueued, w.db.get("1").Status)
		assert.Equal(t, watchdog.StatusRunning, w.db.get("2").Status)
		assert.Equal(t, map[watchdog.Reason]int{watchdog.ReasonWorkerDied: 1}, w.seen.reaped)
		finalizer.die()
		w.pass(0)
		assert.Equal(t, map[watchdog.Reason]int{watchdog.ReasonWorkerDied: 2}, w.seen.reaped)
		assert.EqualValues(t, 2, w.reaper.Status().ReapedTotal[watchdog.Tier1])
	})
}

// TestManyDeathsLeaveThePassesTheirTurn: what dies together is recovered together, and however much it is, age goes
// on being judged.
func TestManyDeathsLeaveThePassesTheirTurn(t *testing.T) {
	inWorld(t, func(w *world) {
		const many = 3000
		s := w.connect()
		for i := range many {
			job := watchdog.JobID(fmt.Sprint(i))
			w.add(job, 0)
			s.mark("1", job)
		}
		w.run()
		w.db.fault(func(op string, _ watchdog.JobID) error {
			if op == "jobs" {
				time.Sleep(4 * time.Second)
			}
			return nil
		})
		passes := w.db.called("due")
		s.die()
		w.pass(20 * time.Second)
		assert.Greater(t, w.db.called("due"), passes)
		assert.Less(t, len(w.db.reaps), many)
		w.pass(time.Minute)
		assert.Len(t, w.db.reaps, many)
	})
}
