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

// finish tries the pending reaps that are due for it, until one fails: passes and deaths are not kept waiting.
func (r *Reaper) finish(ctx context.Context, boot time.Duration) {
	for _, p := range r.duePending(boot) {
		if ctx.Err() != nil {
			return
		}
		outcome, err := r.complete(ctx, p.judged)
		if err == nil {
			r.settle(p.at, []watchdog.Judged{p.judged}, outcome)
			continue
		}
		r.Log.Error("a reap has no known outcome yet; it will be tried again", "job", p.judged.Job.ID, "error", err)
		r.postpone(p, errors.Is(err, errAway))
		return
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

// complete tries one pending reap again: a row that is still the version that was judged is updated, any
// other shows that the reap, or somebody else, has changed it.
func (r *Reaper) complete(ctx context.Context, j watchdog.Judged) (string, error) {
	ctx = context.WithoutCancel(ctx)
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
	changed, _, err := r.update(ctx, tx, at.Rows, []watchdog.Judged{j})
	if err != nil {
		return "", errors.Join(err, rollback(tx))
	}
	if len(changed) == 0 {
		return "presumed: the row is another version", rollback(tx)
	}
	if err := tx.Commit(); err != nil {
		r.Observer.Failed("commit")
		return "", fmt.Errorf("%w: commit: %w", errAway, err)
	}
	return "committed after a retry", nil
}
