package reaper_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// TestOrder is guarantee 4: lock, update, revoke, commit.
func TestOrder(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run()
		w.add("1", 0)
		s := w.connect()
		s.mark("1", "1")
		w.pass(time.Second)
		w.db.since()
		s.die()
		w.pass(0)
		assert.Equal(t, []string{"jobs", "begin", "lock 1", "requeue 1", "revoke 1", "commit", "settle 1"}, w.db.since())
		w.pass(time.Second)
		assert.Empty(t, w.db.since(), "it is done with")
		assert.Equal(t, watchdog.StatusQueued, w.db.get("1").Status)
		assert.False(t, s.mark("1", "1"), "a run that was revoked cannot be marked afresh")
		assert.Equal(t, []time.Duration{0}, w.seen.recovery)
	})
}

// TestCases are those of the original reaper, at the level of the running reaper.
func TestCases(t *testing.T) {
	owned := func(w *world, stage string) *session {
		w.add("1", 0, func(j *watchdog.Job) { j.Stage = stage })
		s := w.connect()
		s.mark("1", "1")
		w.run()
		return s
	}
	t.Run("TC-03", func(t *testing.T) {
		inWorld(t, func(w *world) {
			owned(w, "deploy-staging")
			w.pass(3 * time.Minute)
			assert.Equal(t, watchdog.StatusRunning, w.db.get("1").Status)
			assert.Equal(t, 13, w.seen.deferred[watchdog.ReasonConnected], "one a pass since the grace was over")
			assert.Equal(t, 1, w.seen.audited("deferred", "1"), "and told once")
		})
	})
	t.Run("TC-04", func(t *testing.T) {
		inWorld(t, func(w *world) {
			owned(w, "review")
			w.pass(grace + interval)
			assert.Equal(t, 1, w.seen.reaped[watchdog.ReasonUnfinalized])
		})
	})
	t.Run("TC-05", func(t *testing.T) {
		inWorld(t, func(w *world) {
			owned(w, "deploy-staging")
			w.pass(grace + interval)
			assert.Empty(t, w.db.reaps)
			w.reaper.Switch(false, "a test")
			w.pass(0)
			assert.Equal(t, 1, w.seen.reaped[watchdog.ReasonUnfinalized], "at once")
		})
	})
	t.Run("TC-06", func(t *testing.T) {
		inWorld(t, func(w *world) {
			s := owned(w, "deploy-staging")
			w.pass(ceiling - 10*time.Minute - time.Second)
			assert.Empty(t, w.db.reaps)
			w.pass(interval)
			assert.Equal(t, 1, w.seen.reaped[watchdog.ReasonBackstop])
			assert.False(t, s.check("1"), "the owner learns that it is no more")
		})
	})
	t.Run("TC-07", func(t *testing.T) {
		inWorld(t, func(w *world) {
			owned(w, "deploy-staging").die()
			w.pass(0)
			assert.Equal(t, 1, w.seen.reaped[watchdog.ReasonOwnerDied], "at once: no grace, no warm-up")
		})
	})
}

// TestSilence: an owner that is only silent is reaped after its lease and then the grace.
func TestSilence(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", grace)
		s := w.connect()
		s.mark("1", "1")
		w.run()
		w.pass(time.Minute)
		s.silent.Store(true)
		w.registry.Hangup(s.Session, w.boot())
		w.pass(lease + grace - 2*time.Second)
		assert.Empty(t, w.db.reaps)
		w.pass(2*time.Second + interval)
		assert.Equal(t, 1, w.seen.reaped[watchdog.ReasonUnfinalized])
	})
}

// TestClear: who cleared has only just let go of the job: the grace begins anew.
func TestClear(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", 0)
		s := w.connect()
		s.mark("1", "1")
		w.run()
		w.pass(grace + interval)
		assert.True(t, s.check("1"))
		s.clear("1")
		w.pass(grace - interval)
		assert.Empty(t, w.db.reaps)
		w.pass(interval)
		assert.Equal(t, 1, w.seen.reaped[watchdog.ReasonUnfinalized])
	})
}

func TestAttempts(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1", grace, func(j *watchdog.Job) { j.Attempt = 2 })
		w.add("2", grace, func(j *watchdog.Job) { j.Attempt = 3 })
		w.add("3", grace, func(j *watchdog.Job) { j.Attempt = 0 })
		w.run()
		w.pass(warmup + interval)
		assert.Equal(t, watchdog.StatusQueued, w.db.get("1").Status)
		assert.Equal(t, watchdog.StatusFailed, w.db.get("2").Status, "it had all its attempts")
		assert.Equal(t, watchdog.StatusQueued, w.db.get("3").Status, "how many it had is not known")
	})
}

// TestRowChanged: a job that somebody changed since it was judged is left alone, which is no error.
func TestRowChanged(t *testing.T) {
	for op, change := range map[string]func(*watchdog.Job){
		"lock":    func(j *watchdog.Job) { j.Status = watchdog.StatusDone },
		"requeue": func(j *watchdog.Job) { j.Run = "2" },
	} {
		t.Run(op, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.add("1", grace)
				w.add("2", grace)
				w.db.fault(func(at string, id watchdog.JobID) error {
					if at == op && id == "1" {
						j := w.db.get("1")
						change(&j)
						w.db.put(j)
						w.db.fault(nil)
					}
					return nil
				})
				w.run()
				w.pass(warmup)
				assert.Equal(t, 1, w.seen.lost)
				assert.Equal(t, 1, w.seen.audited("lost race", "1"))
				assert.Equal(t, []requeued{{"2", "1", watchdog.StatusQueued, w.boot()}}, w.db.reaps)
				assert.Zero(t, w.seen.failures)
				assert.Empty(t, w.reaper.Status().LastPassError)
			})
		})
	}
}

// TestClaimChanged: who marks, or is promised a hold, between the judgement and the revocation wins; the others
// of the transaction are reaped all the same.
func TestClaimChanged(t *testing.T) {
	for name, meddle := range map[string]func(w *world, s *session){
		"marked":   func(_ *world, s *session) { s.mark("1", "1") },
		"promised": func(_ *world, s *session) { s.mark("1", "1"); s.check("1") },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.add("1", grace)
				w.add("2", grace)
				s := w.connect()
				w.owners.meddle = func() { meddle(w, s) }
				w.run()
				w.pass(warmup)
				assert.Equal(t, 1, w.seen.lost)
				assert.Equal(t, watchdog.StatusRunning, w.db.get("1").Status)
				assert.Equal(t, watchdog.StatusQueued, w.db.get("2").Status)
				assert.True(t, s.check("1"), "it is the owner")
				w.pass(time.Minute)
				assert.Equal(t, watchdog.StatusRunning, w.db.get("1").Status)
			})
		})
	}
}

// TestOneOfMany: a row that fails or is locked does not keep the others, nor is a race lost twice for it.
func TestOneOfMany(t *testing.T) {
	for _, op := range []string{"lock", "requeue"} {
		t.Run(op, func(t *testing.T) {
			inWorld(t, func(w *world) {
				for i := range 60 {
					w.add(watchdog.JobID(fmt.Sprintf("%02d", i)), grace)
				}
				w.db.fault(func(at string, id watchdog.JobID) error {
					if at == "lock" && id == "05" && w.db.get(id).Version == "1" {
						j := w.db.get(id)
						j.Status = watchdog.StatusDone
						w.db.put(j)
					}
					if at == op && id == "20" {
						return errDown
					}
					return nil
				})
				w.run()
				w.pass(warmup)
				assert.Len(t, w.db.reaps, 58)
				assert.Equal(t, 1, w.seen.lost)
				assert.Zero(t, w.seen.failures, "the pass went on")
				w.db.fault(nil)
				w.pass(interval)
				assert.Equal(t, watchdog.StatusQueued, w.db.get("20").Status)
			}, func(o *reaper.Options) { o.Policy.BrakeMin = 1000 })
		})
	}
}

// TestEnd: a reap that is in flight when the watchdog is told to end is rolled back before anybody's ownership was
// revoked, and finished after; no other is begun.
func TestEnd(t *testing.T) {
	for at, reaped := range map[string]int{"begin": 0, "requeue": 0, "commit": 50} {
		t.Run(at, func(t *testing.T) {
			inWorld(t, func(w *world) {
				for i := range 120 {
					w.add(watchdog.JobID(fmt.Sprintf("%03d", i)), grace)
				}
				ctx, cancel := context.WithCancel(w.Context())
				w.db.fault(func(op string, _ watchdog.JobID) error {
					if op == at {
						cancel()
					}
					return nil
				})
				assert.NoError(t, w.reaper.Run(ctx))
				w.check()
				assert.Len(t, w.db.reaps, reaped)
				assert.Equal(t, 1, w.db.called("begin"))
				assert.Empty(t, w.seen.failures)
			}, func(o *reaper.Options) { o.Warmup = 0; o.Policy.BrakeMin = 1000 })
		})
	}
}
