package reaper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// transact reaps the judged jobs in one transaction, in the order that the package comment gives, and
// returns how many were reaped; the others were lost races, or are pending because the commit has no known
// outcome. After an error nothing has happened. It is not interrupted by the end of ctx: the store bounds
// each call.
func (r *Reaper) transact(ctx context.Context, at watchdog.Instant, judged []watchdog.Judged) (int, error) {
	ctx = context.WithoutCancel(ctx)
	for len(judged) > 0 {
		tx, err := r.Store.Begin(ctx)
		if err != nil {
			r.Observer.Failed("begin")
			return 0, fmt.Errorf("%w: begin transaction: %w", errAway, err)
		}
		changed, stale, err := r.update(ctx, tx, at.Rows, judged)
		if err != nil {
			return 0, errors.Join(err, rollback(tx))
		}
		var lost []watchdog.JobID
		if len(changed) > 0 {
			lost = r.Owners.Revoke(r.Boot(), changed)
		}
		if len(changed) > 0 && len(lost) == 0 {
			r.lostRaces(stale, at, "the job is another version")
			return r.commit(tx, at, changed), nil
		}
		if err := rollback(tx); err != nil {
			return 0, err
		}
		r.lostRaces(stale, at, "the job is another version")
		owned, free := split(changed, func(j watchdog.Judged) bool { return slices.Contains(lost, j.Job.ID) })
		r.lostRaces(owned, at, "somebody marked, came back or was promised a hold after the verdict")
		judged = free
	}
	return 0, nil
}

// update locks and updates each row that is still what was judged, and returns those that were and those that
// were not.
func (r *Reaper) update(ctx context.Context, tx Tx, now time.Time, judged []watchdog.Judged) (changed, stale []watchdog.Judged, err error) {
	for _, j := range judged {
		row, err := tx.Lock(ctx, j.Job.ID)
		if err != nil && !errors.Is(err, watchdog.ErrNoJob) {
			r.Observer.Failed("lock")
			return nil, nil, fmt.Errorf("lock job %s: %w", j.Job.ID, err)
		}
		if err != nil || row.Version != j.Job.Version {
			stale = append(stale, j)
			continue
		}
		ok, err := r.write(ctx, tx, now, j)
		if err != nil {
			r.Observer.Failed("update")
			return nil, nil, fmt.Errorf("update job %s: %w", j.Job.ID, err)
		}
		if !ok {
			stale = append(stale, j)
			continue
		}
		changed = append(changed, j)
	}
	return changed, stale, nil
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
func (r *Reaper) commit(tx Tx, at watchdog.Instant, reaps []watchdog.Judged) int {
	if err := tx.Commit(); err != nil {
		r.Observer.Failed("commit")
		r.Log.Error("a commit has no known outcome; its reaps will be tried again", "jobs", len(reaps),
			"first", reaps[0].Job.ID, "error", err)
		r.suspend(at, reaps)
		return 0
	}
	r.settle(at, reaps, "committed")
	return len(reaps)
}

// settle ends reaps, judged at the instant, whose rows are known to be changed.
func (r *Reaper) settle(at watchdog.Instant, reaps []watchdog.Judged, outcome string) {
	boot := r.Boot()
	jobs := make([]watchdog.JobID, len(reaps))
	unfinalized := 0
	for i, j := range reaps {
		jobs[i] = j.Job.ID
		delete(r.recheck, j.Job.ID)
		if j.Verdict.Reason == watchdog.ReasonUnfinalized {
			unfinalized++
		}
		r.Observer.Reaped(j.Verdict.Tier, j.Verdict.Reason, r.recovery(j, at, boot))
		r.audit("reaped", j, at, "outcome", outcome, "attempts_left", !r.exhausted(j.Job))
	}
	r.Owners.Settle(boot, jobs)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubts.reaped(boot, unfinalized)
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
	committed := at.Rows.Add(boot - at.Boot)
	switch o, w := j.Claim.Owner, j.Claim.Worker; {
	case j.Verdict.Reason == watchdog.ReasonOwnerDied && o != nil:
		return boot - o.DiedAt
	case j.Verdict.Reason == watchdog.ReasonWorkerDied && w != nil && w.State == watchdog.Dead:
		return boot - w.DiedAt
	case j.Verdict.Reason == watchdog.ReasonUnfinalized:
		return max(0, committed.Sub(j.Job.FinishedAt)-r.Policy.grace(j.Job.Stage))
	case j.Verdict.Reason == watchdog.ReasonBackstop:
		return max(0, committed.Sub(r.Policy.Backstop(j.Job)))
	}
	return -1
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
