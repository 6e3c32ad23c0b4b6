package reaper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// pending is a reap whose owner was revoked and whose commit has no known outcome.
type pending struct {
	judged watchdog.Judged
	at     watchdog.Instant // of the verdict
	retry  retry
}

// suspend makes reaps pending: their owners are revoked, and whether their rows changed is not known.
func (r *Reaper) suspend(at watchdog.Instant, reaps []watchdog.Judged) {
	boot := r.Boot()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range reaps {
		r.pending[j.Job.ID] = &pending{judged: j, at: at, retry: retry{}.next(boot)}
		delete(r.recheck, j.Job.ID)
	}
	r.status.Pending = len(r.pending)
}

// finish tries the pending reaps that are due for it. If the database is away one tries for them all: passes and deaths
// are not kept waiting.
func (r *Reaper) finish(ctx context.Context, boot time.Duration) {
	var failed []watchdog.JobID
	var why error
	for _, p := range r.duePending(boot) {
		outcome, err := r.complete(ctx, p.judged)
		if err == nil {
			r.settle(p.at, []watchdog.Judged{p.judged}, outcome)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		failed, why = append(failed, p.judged.Job.ID), err
		r.postpone(p, errors.Is(err, errAway))
		if errors.Is(err, errAway) {
			break
		}
	}
	if len(failed) > 0 {
		r.Log.Error("reaps have no known outcome yet; they will be tried again", "tried", len(failed), "job", failed[0], "error", why)
	}
}

// postpone puts off a pending reap that failed. If the database is away all are put off: one tries for them.
func (r *Reaper) postpone(failed *pending, away bool) {
	boot := r.Boot()
	r.mu.Lock()
	defer r.mu.Unlock()
	failed.retry = failed.retry.next(boot)
	if away {
		for _, p := range r.pending {
			p.retry = failed.retry
		}
	}
}

// pendingUnproven is how many of the pending reaps are without proof. The caller holds mu.
func (r *Reaper) pendingUnproven() (n int) {
	for _, p := range r.pending {
		if unproven(p.judged) {
			n++
		}
	}
	return n
}

func (r *Reaper) duePending(boot time.Duration) []*pending {
	r.mu.Lock()
	defer r.mu.Unlock()
	var due []*pending
	for _, p := range r.pending {
		if boot >= p.retry.at {
			due = append(due, p)
		}
	}
	return due
}

// absent fails unless there is no such job at all. One that somebody has locked, and be it our own first transaction on
// its way at the server, has no known outcome yet.
func (r *Reaper) absent(ctx context.Context, now time.Time, j watchdog.Judged) error {
	jobs, err := r.Store.Jobs(ctx, now, []watchdog.JobID{j.Job.ID})
	if err == nil && len(jobs) > 0 {
		err = fmt.Errorf("lock job %s: somebody has it locked", j.Job.ID)
	}
	return err
}

// complete tries one pending reap again: a row that is still the version that was judged is updated, any
// other shows that the reap, or somebody else, has changed it.
func (r *Reaper) complete(ctx context.Context, j watchdog.Judged) (string, error) {
	at, err := r.now(ctx)
	if err != nil {
		r.Observer.Failed("clock")
		return "", fmt.Errorf("%w: %w", errAway, err)
	}
	tx, err := r.Store.Begin(ctx)
	if err != nil {
		r.Observer.Failed("begin")
		return "", fmt.Errorf("%w: begin transaction: %w", errAway, err)
	}
	u, err := r.update(ctx, tx, at.Rows, []watchdog.Judged{j})
	if err == nil && len(u.gone) > 0 {
		err = r.absent(ctx, at.Rows, j)
	}
	if err != nil || ctx.Err() != nil {
		return "", errors.Join(err, context.Cause(ctx), rollback(tx))
	}
	if len(u.changed) == 0 {
		return "presumed: the row is another version", rollback(tx)
	}
	if err := tx.Commit(ctx); err != nil {
		r.Observer.Failed("commit")
		return "", fmt.Errorf("%w: commit: %w", errAway, err)
	}
	return "committed after a retry", nil
}
