package reaper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// lockMost bounds the time for which a transaction goes on locking rows: the orchestrator waits for them, and so does
// whoever dies meanwhile.
const lockMost = 250 * time.Millisecond

// transact reaps the judged jobs in as few transactions as it can, in the order that the package comment gives, and
// returns how many were reaped; the others were lost races, or are pending because the commit has no known
// outcome. After an error nothing has happened in the last transaction. When ctx ends before anything was revoked the
// transaction rolls back; after that it is only hurried.
func (r *Reaper) transact(ctx context.Context, t *tally, judged []watchdog.Judged) (reaped int, err error) {
	for len(judged) > 0 && ctx.Err() == nil {
		if t.between != nil {
			t.between(ctx)
		}
		tx, err := r.Store.Begin(ctx)
		if err != nil {
			r.Observer.Failed("begin")
			return reaped, fmt.Errorf("%w: begin transaction: %w", errAway, err)
		}
		u, err := r.update(ctx, tx, t.at.Rows, judged)
		if err != nil || ctx.Err() != nil {
			return reaped, errors.Join(err, rollback(tx))
		}
		judged = u.rest
		r.lostRaces(u.gone, t.at, "the job is gone, or somebody has its row or its run's locked")
		r.lostRaces(u.stale, t.at, "the job is another version")
		if len(u.changed) == 0 {
			if err := rollback(tx); err != nil {
				return reaped, err
			}
			continue
		}
		if r.Liveness.Load() != t.enabled {
			r.lostRaces(slices.Concat(u.changed, judged), t.at, "the switch was turned after the verdict")
			return reaped, rollback(tx)
		}
		lost := r.Owners.Revoke(r.Boot(), u.changed)
		if len(lost) == 0 {
			reaped += r.commit(ctx, tx, t.at, u.changed)
			continue
		}
		if err := rollback(tx); err != nil {
			return reaped, err
		}
		owned, free := split(u.changed, func(j watchdog.Judged) bool { return slices.Contains(lost, j.Job.ID) })
		r.lostRaces(owned, t.at, "somebody marked, came back or was promised a hold after the verdict")
		judged = slices.Concat(free, judged)
	}
	return reaped, nil
}

// updated is what became of jobs in one transaction.
type updated struct {
	changed []watchdog.Judged
	stale   []watchdog.Judged // they are another version
	gone    []watchdog.Judged // there is no such job, or somebody has it locked
	rest    []watchdog.Judged // not tried: it has taken long enough
}

// update locks and updates each row that is still what was judged.
func (r *Reaper) update(ctx context.Context, tx Tx, now time.Time, judged []watchdog.Judged) (u updated, err error) {
	began := r.Boot()
	for i, j := range judged {
		if i > 0 && r.Boot()-began >= lockMost {
			u.rest = judged[i:]
			return u, nil
		}
		row, err := tx.Lock(ctx, j.Job.ID)
		if errors.Is(err, watchdog.ErrNoJob) {
			u.gone = append(u.gone, j)
			continue
		}
		if err != nil {
			r.Observer.Failed("lock")
			return u, fmt.Errorf("lock job %s: %w", j.Job.ID, err)
		}
		ok := false
		if row.Version == j.Job.Version {
			ok, err = r.write(ctx, tx, now, j)
		}
		if err != nil {
			r.Observer.Failed("update")
			return u, fmt.Errorf("update job %s: %w", j.Job.ID, err)
		}
		if ok {
			u.changed = append(u.changed, j)
		} else {
			u.stale = append(u.stale, j)
		}
	}
	return u, nil
}

// write requeues the job, or fails it when it has had all its attempts.
func (r *Reaper) write(ctx context.Context, tx Tx, now time.Time, j watchdog.Judged) (bool, error) {
	if r.exhausted(j.Job) {
		return tx.Fail(ctx, now, j.Job.ID, j.Job.Version)
	}
	return tx.Requeue(ctx, now, j.Job.ID, j.Job.Version)
}

func (r *Reaper) exhausted(job watchdog.Job) bool { return job.Attempt >= r.Policy.MaxAttempts }

// commit ends the transaction of reaps whose owners are revoked, and returns how many came about.
func (r *Reaper) commit(ctx context.Context, tx Tx, at watchdog.Instant, reaps []watchdog.Judged) int {
	r.suspect(reaps)
	if err := tx.Commit(ctx); err != nil {
		r.Observer.Failed("commit")
		r.Log.Error("a commit has no known outcome; its reaps will be tried again", "jobs", len(reaps),
			"first", reaps[0].Job.ID, "error", err)
		r.suspend(at, reaps)
		return 0
	}
	r.settle(at, reaps, "committed")
	return len(reaps)
}

// suspect tells the brake of reaps without proof, whatever becomes of their commit.
func (r *Reaper) suspect(reaps []watchdog.Judged) {
	doubtful, _ := split(reaps, unproven)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubts.reaped(r.Boot(), len(doubtful))
}

// settle ends reaps, judged at the instant, whose rows are known to be changed.
func (r *Reaper) settle(at watchdog.Instant, reaps []watchdog.Judged, outcome string) {
	boot := r.Boot()
	jobs := make([]watchdog.JobID, len(reaps))
	for i, j := range reaps {
		jobs[i] = j.Job.ID
		delete(r.recheck, j.Job.ID)
		r.Observer.Reaped(j.Verdict.Tier, j.Verdict.Reason, r.recovery(j, at, boot))
		r.audit("reaped", j, at, "outcome", outcome, "attempts_left", !r.exhausted(j.Job))
	}
	r.Owners.Settle(boot, jobs)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range reaps {
		r.status.ReapedTotal[j.Verdict.Tier]++
		delete(r.pending, j.Job.ID)
		if j.Verdict.Reason == watchdog.ReasonOwnerDied {
			r.crashes[j.Job.ID] = crash{count: r.crashes[j.Job.ID].count + 1, last: boot}
		}
	}
	r.status.Pending = len(r.pending)
}

// recovery is how long the job waited from the proof of its owner's death, or from when its age was due; -1
// when that is not known.
func (r *Reaper) recovery(j watchdog.Judged, at watchdog.Instant, boot time.Duration) time.Duration {
	if j.Verdict.DueSince.IsZero() {
		return -1
	}
	return max(0, at.At(boot).Sub(j.Verdict.DueSince))
}

// lostRaces notes that jobs were left alone because they, or the claims on them, are not what was judged.
func (r *Reaper) lostRaces(judged []watchdog.Judged, at watchdog.Instant, why string) {
	for _, j := range judged {
		r.Observer.LostRace(j.Verdict.Tier)
		r.audit("lost race", j, at, "because", why)
	}
}

func split(judged []watchdog.Judged, is func(watchdog.Judged) bool) (those, others []watchdog.Judged) {
	for _, j := range judged {
		if is(j) {
			those = append(those, j)
		} else {
			others = append(others, j)
		}
	}
	return those, others
}

func rollback(tx Tx) error {
	if err := tx.Rollback(); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}
