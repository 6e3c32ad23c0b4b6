package reaper_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// TestFaults has each operation fail, for one job that is due by age and one whose owner died, and the database
// come back: each job is reaped once, and nothing is left of the fault.
func TestFaults(t *testing.T) {
	for op, phase := range map[string]string{"now": "clock", "due": "read", "jobs": "read", "counts": "counts",
		"begin": "begin", "lock": "lock", "requeue": "update", "commit": "commit"} {
		t.Run(op, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.add("1", grace)
				w.add("2", 0)
				s := w.connect()
				s.mark("1", "2")
				w.db.fault(failing(op))
				w.run()
				s.die()
				w.pass(time.Minute)
				assert.Positive(t, w.seen.failed[phase])
				for told := range w.seen.failed {
					assert.Contains(t, []string{phase, "read"}, told)
				}
				w.db.fault(nil)
				w.pass(time.Minute)
				assert.Equal(t, watchdog.StatusQueued, w.db.get("1").Status)
				assert.Equal(t, watchdog.StatusQueued, w.db.get("2").Status)
				for _, id := range []watchdog.JobID{"1", "2"} {
					assert.Equal(t, 1, w.seen.audited("reaped", id))
				}
				status := w.reaper.Status()
				assert.Zero(t, status.Pending)
				assert.Empty(t, status.LastPassError)
				assert.True(t, status.DatabaseUp)
			}, func(o *reaper.Options) { o.DatabaseClock = true })
		})
	}
}

// TestLostReply has commits take place whose reply is lost: the reap is pending, its owner revoked, and the next
// try finds that it took place.
func TestLostReply(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", 0)
		s := w.connect()
		s.mark("1", "1")
		w.run()
		w.db.mu.Lock()
		w.db.after = func() error { return errors.New("connection reset") }
		w.db.mu.Unlock()
		s.die()
		w.pass(0)
		assert.Equal(t, 1, w.reaper.Status().Pending)
		assert.Empty(t, w.seen.reaped, "its outcome is not known")
		w.pass(time.Second)
		assert.Zero(t, w.reaper.Status().Pending)
		assert.Len(t, w.db.reaps, 1)
		assert.Equal(t, map[watchdog.Reason]int{watchdog.ReasonOwnerDied: 1}, w.seen.reaped)
		assert.Equal(t, 1, w.seen.failed["commit"])
	})
}

// TestPending: while the outcome of a commit is not known nobody can mark the job, no pass reaps it again, and
// /queue says so; when it was refused, it is made under its first reason, whatever the job has become due for.
func TestPending(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", 0)
		s, other := w.connect(), w.connect()
		s.mark("1", "1")
		w.run()
		w.db.fault(failing("commit"))
		s.die()
		w.pass(grace + time.Minute)
		assert.False(t, other.mark("1", "1"))
		q, err := w.reaper.Job(t.Context(), "1")
		assert.NoError(t, err)
		assert.Equal(t, watchdog.ReasonReaping, q.Jobs[0].Verdict.Reason)
		assert.True(t, q.Jobs[0].Claim.Reaping)
		assert.Positive(t, w.seen.deferred[watchdog.ReasonReaping])
		assert.Less(t, w.db.called("commit"), 60, "with backoff")
		w.db.fault(nil)
		w.pass(5 * time.Second)
		assert.Equal(t, map[watchdog.Reason]int{watchdog.ReasonOwnerDied: 1}, w.seen.reaped)
		assert.Equal(t, watchdog.StatusQueued, w.db.get("1").Status)
		w.claimed("1", "2")
		assert.True(t, other.mark("2", "1"), "the next run can be marked")
	})
}

// TestPendingOvertaken: somebody else finalizes the job while its reap is pending. It is left as it is.
func TestPendingOvertaken(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", 0)
		s := w.connect()
		s.mark("1", "1")
		w.run()
		w.db.fault(failing("commit"))
		s.die()
		w.pass(time.Second)
		j := w.db.get("1")
		j.Status = watchdog.StatusDone
		w.db.put(j)
		w.db.fault(nil)
		w.pass(5 * time.Second)
		assert.Zero(t, w.reaper.Status().Pending)
		assert.Equal(t, watchdog.StatusDone, w.db.get("1").Status)
		assert.Empty(t, w.db.reaps)
	})
}

// TestPendingLocked: a row that somebody has locked, and be it the reap's own first transaction on its way at the server,
// says nothing about the outcome. One that is gone does.
func TestPendingLocked(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", 0)
		s := w.connect()
		s.mark("1", "1")
		w.run()
		w.db.fault(failing("commit"))
		s.die()
		w.pass(time.Second)
		w.db.fault(func(op string, _ watchdog.JobID) error {
			if op == "lock" {
				return watchdog.ErrNoJob
			}
			return nil
		})
		w.pass(time.Minute)
		assert.Equal(t, 1, w.reaper.Status().Pending)
		assert.Empty(t, w.seen.reaped)
		w.db.mu.Lock()
		delete(w.db.rows, "1")
		w.db.ids = nil
		w.db.mu.Unlock()
		w.pass(time.Minute)
		assert.Zero(t, w.reaper.Status().Pending)
	})
}

// TestPendingOneOfMany: a pending reap whose row somebody keeps locked does not keep the others.
func TestPendingOneOfMany(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.ownMany(20)
		w.run()
		w.db.fault(failing("commit"))
		s.die()
		w.pass(time.Second)
		assert.Equal(t, 20, w.reaper.Status().Pending)
		w.db.fault(func(op string, id watchdog.JobID) error {
			if op == "lock" && id == "7" {
				return errDown
			}
			return nil
		})
		w.pass(10 * time.Second)
		assert.Equal(t, 1, w.reaper.Status().Pending)
		w.db.fault(nil)
		w.pass(5 * time.Second)
		assert.Len(t, w.db.reaps, 20)
	})
}

// TestPendingSlow: pending reaps do not keep the passes waiting, however slowly a database fails.
func TestPendingSlow(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.ownMany(50)
		w.run()
		w.db.fault(failing("commit"))
		s.die()
		w.pass(0)
		assert.Equal(t, 50, w.reaper.Status().Pending)
		w.db.fault(func(op string, _ watchdog.JobID) error {
			if op == "begin" {
				<-time.After(5 * time.Second)
				return errDown
			}
			return nil
		})
		passes := w.seen.passes
		begun := w.db.called("begin")
		w.pass(time.Minute)
		assert.Greater(t, w.seen.passes, passes+1)
		assert.Less(t, w.db.called("begin")-begun, 13)
		w.db.fault(failing("begin"))
		begun = w.db.called("begin")
		w.pass(time.Minute)
		assert.Less(t, w.db.called("begin")-begun, 40, "and are tried one for all")
		w.db.fault(nil)
		w.pass(20 * time.Second)
		assert.Len(t, w.db.reaps, 50)
	})
}

// TestAwayMidway: a database that goes away after a transaction began is not asked for each of its jobs.
func TestAwayMidway(t *testing.T) {
	inWorld(t, func(w *world) {
		w.addMany("a", 50, grace)
		away := false
		w.db.fault(func(op string, _ watchdog.JobID) error {
			away = away || op == "lock"
			if away {
				return errDown
			}
			return nil
		})
		w.run()
		w.pass(0)
		assert.Equal(t, 2, w.db.called("begin"))
		assert.Equal(t, 1, w.seen.failures)
		w.db.fault(nil)
		w.pass(2 * interval)
		assert.Len(t, w.db.reaps, 50)
	}, func(o *reaper.Options) { o.Warmup = 0; o.Policy.BrakeMin = 1000 })
}

// TestSlow: a database whose every answer takes seconds, and one that fails after them, keep a pass short of
// trying every job one by one.
func TestSlow(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 500 {
			w.add(watchdog.JobID(fmt.Sprint(i)), grace)
		}
		w.db.fault(func(op string, _ watchdog.JobID) error {
			if op == "begin" {
				<-time.After(5 * time.Second)
				return errDown
			}
			return nil
		})
		w.run()
		w.pass(time.Minute)
		assert.Positive(t, w.seen.failures)
		assert.LessOrEqual(t, w.db.called("begin"), w.seen.failures+1, "the first that cannot begin ends the pass")
		assert.False(t, w.reaper.Status().DatabaseUp)
		assert.Contains(t, w.reaper.Status().LastPassError, errDown.Error())
		w.db.fault(nil)
		w.pass(time.Minute)
		assert.Len(t, w.db.reaps, 500)
	}, func(o *reaper.Options) { o.Warmup = 0; o.Policy.BrakeMin = 1000 })
}
