package reaper_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// recovered is how long it takes from now until the job is requeued.
func (w *world) recovered(id watchdog.JobID, within time.Duration) time.Duration {
	w.Helper()
	began := time.Now()
	for time.Since(began) < within && w.db.get(id).Status == watchdog.StatusRunning {
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
	}
	assert.Equal(w, watchdog.StatusQueued, w.db.get(id).Status)
	return time.Since(began)
}

// slowly is a database where one operation takes a while.
func slowly(op string, took time.Duration) func(string, watchdog.JobID) error {
	return func(at string, _ watchdog.JobID) error {
		if at == op {
			time.Sleep(took)
		}
		return nil
	}
}

// TestADeathWaitsForNoPass: a pass may take long, for what it reads, for a server that does not answer or for rows that
// are slow to lock. A death that is proven meanwhile is recovered meanwhile.
func TestADeathWaitsForNoPass(t *testing.T) {
	silent := func(context.Context) error { time.Sleep(5500 * time.Millisecond); return context.DeadlineExceeded }
	for name, c := range map[string]struct {
		slow   func(string, watchdog.JobID) error
		change func(*reaper.Options)
	}{
		"that reads much":               {slowly("due", 10*time.Second), func(*reaper.Options) {}},
		"that counts":                   {slowly("counts", 10*time.Second), func(*reaper.Options) {}},
		"that locks slowly":             {slowly("lock", 100*time.Millisecond), func(o *reaper.Options) { o.Warmup = 0 }},
		"that asks for the exclusivity": {nil, func(o *reaper.Options) { o.Exclusive = silent }},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.addMany("a", 600, grace)
				w.add("dead", 0)
				s := w.connect()
				s.mark("1", "dead")
				w.db.fault(c.slow)
				w.run()
				time.Sleep(time.Second)
				s.die()
				assert.Less(t, w.recovered("dead", time.Minute), time.Second)
			}, c.change, func(o *reaper.Options) { o.Policy.BrakeMin = 1000 })
		})
	}
}

// ended is how long the reaper goes on after it was told to end, a while after it began.
func (w *world) ended(after time.Duration) time.Duration {
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error, 1)
	go func() { done <- w.reaper.Run(ctx) }()
	time.Sleep(after)
	cancel()
	began := time.Now()
	assert.NoError(w, <-done)
	return time.Since(began)
}

// TestASlowDatabaseDoesNotDelayTheEnd: what is in flight ends with the statement that it waits for.
func TestASlowDatabaseDoesNotDelayTheEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		w.addMany("a", 50, grace)
		w.db.fault(func(string, watchdog.JobID) error { time.Sleep(50 * time.Millisecond); return nil })
		assert.Less(t, w.ended(500*time.Millisecond), time.Second)
		assert.Zero(t, w.db.open)
	}, func(o *reaper.Options) { o.Warmup = 0; o.Policy.BrakeMin = 1000 })
}

// TestAStatementThatDoesNotGoOn: a set whose due_jobs does not honour :after fails the pass instead of holding it.
func TestAStatementThatDoesNotGoOn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.addMany("a", 6000, grace)
		stuck := &firstPage{store: w.db}
		w.reaper.Store = stuck
		w.run()
		w.pass(interval)
		assert.Contains(t, w.reaper.Status().LastPassError, ":after")
		assert.LessOrEqual(t, stuck.read.Load(), int64(4))
	})
}

type firstPage struct {
	*store
	read atomic.Int64
}

func (s *firstPage) Due(ctx context.Context, now time.Time, grace, ceiling time.Duration, _ watchdog.JobID, limit int) ([]watchdog.Job, error) {
	if s.read.Add(1) > 100 {
		return nil, errDown
	}
	return s.store.Due(ctx, now, grace, ceiling, "", limit)
}

// restless is the registry beside a client that clears and marks without a pause: there is a new ownership at each look
// and at each revocation.
type restless struct {
	*owners
	again func()
}

func (r *restless) Revoke(at time.Duration, judged []watchdog.Judged) []watchdog.JobID {
	r.again()
	return r.owners.Revoke(at, judged)
}

// TestAClientInALoopKeepsNothingAway: the backstop ignores who owns the job, and so does every rule while the switch is
// off.
func TestAClientInALoopKeepsNothingAway(t *testing.T) {
	for name, on := range map[string]bool{"the backstop": true, "the switch off": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				s := w.connect()
				r := &restless{owners: w.owners, again: func() { s.clear("1"); s.mark("1", "1") }}
				w.reaper.Owners = r
				w.switched.Store(on)
				w.add("1", grace, func(j *watchdog.Job) {
					if on {
						j.CreatedAt, j.StartedAt, j.RunStartedAt = agoes(ceiling)
					}
				})
				s.mark("1", "1")
				w.run()
				w.pass(time.Minute)
				assert.Len(t, w.db.reaps, 1)
			}, func(o *reaper.Options) { o.Warmup = 0 })
		})
	}
}
