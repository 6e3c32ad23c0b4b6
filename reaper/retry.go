package reaper

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// How long a job of a dead owner, or a reap without a known outcome, waits for another try.
const (
	retryFirst = 50 * time.Millisecond
	retryMost  = 5 * time.Second
)

// retry is when to look at a job again, and how often it was tried.
type retry struct {
	at    time.Duration
	tries int
}

func (t retry) next(boot time.Duration) retry {
	wait := min(retryFirst<<min(t.tries, 10), retryMost)
	return retry{at: boot + wait/2 + rand.N(wait/2), tries: t.tries + 1}
}

// later has jobs of dead owners looked at again, with backoff, and together: each alone would cost a read.
func (r *Reaper) later(ids []watchdog.JobID) {
	var last retry
	for _, id := range ids {
		last.tries = max(last.tries, r.recheck[id].tries)
	}
	next := last.next(r.Boot())
	for _, id := range ids {
		r.recheck[id] = next
	}
}

// dead recovers jobs whose owners were just proven dead, those of one session together. It takes one batch: however
// many there are, the passes and what has to be tried again have their turn.
func (r *Reaper) dead(ctx context.Context) {
	ids, more := r.Owners.TakeDead(readBatch)
	r.more = more
	slices.Sort(ids)
	r.recover(ctx, slices.Compact(ids))
}

// retry looks again at what is due for it, at one batch: a database that is away must not keep the passes
// waiting for many.
func (r *Reaper) retry(ctx context.Context) {
	if r.more {
		r.dead(ctx)
	}
	boot := r.Boot()
	var ids []watchdog.JobID
	for id, t := range r.recheck {
		if boot >= t.at && len(ids) < readBatch {
			ids = append(ids, id)
		}
	}
	r.recover(ctx, ids)
	r.finish(ctx, boot)
}

// untilRetry is how long until something has to be tried again.
func (r *Reaper) untilRetry() time.Duration {
	if r.more {
		return 0
	}
	boot := r.Boot()
	wait := time.Hour
	for _, t := range r.recheck {
		wait = min(wait, t.at-boot)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.pending {
		wait = min(wait, p.retry.at-boot)
	}
	return max(wait, 0)
}

// recover judges jobs whose owner is said to be dead and reaps those for which that is reason enough. One
// that only a hold or a backoff protects is looked at again when that ends; the others are left to the
// passes.
func (r *Reaper) recover(ctx context.Context, ids []watchdog.JobID) {
	if len(ids) == 0 {
		return
	}
	jobs, at, err := r.Jobs(ctx, ids)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		r.Observer.Failed("read")
		r.Log.Error("jobs of dead owners could not be read; they will be tried again", "jobs", len(ids), "error", err)
		r.later(ids)
		return
	}
	t := &tally{at: at, enabled: r.Liveness.Load()}
	var again []watchdog.JobID
	waiting := make(map[watchdog.JobID]bool)
	for _, j := range r.judge(at, t.enabled, jobs) {
		switch v := j.Verdict; v.Reason {
		case watchdog.ReasonOwnerDied, watchdog.ReasonWorkerDied:
			t.reap = append(t.reap, j)
			again = append(again, j.Job.ID)
			waiting[j.Job.ID] = true
		case watchdog.ReasonHeld, watchdog.ReasonBackoff:
			if !v.ReapAt.IsZero() && dies(j) {
				waiting[j.Job.ID] = true
				r.recheck[j.Job.ID] = retry{at: at.Boot + v.ReapAt.Sub(at.Rows)}
			}
		}
	}
	for _, id := range ids {
		if !waiting[id] {
			delete(r.recheck, id)
		}
	}
	r.later(again) // unless they come about now
	if err := r.apply(ctx, t); err != nil && ctx.Err() == nil {
		r.Log.Error("jobs of dead owners could not be recovered; they will be tried again", "jobs", len(t.reap), "error", err)
	}
}

func dies(j watchdog.Judged) bool {
	o, w := j.Claim.Owner, j.Claim.Worker
	return o != nil && o.State == watchdog.Dead || w != nil && w.State == watchdog.Dead
}
