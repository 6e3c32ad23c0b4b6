package reaper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// reapBatch is how many jobs are reaped in one transaction: they share a commit, and their locks are held
// for a few milliseconds.
const reapBatch = 50

// errAway is the cause when no transaction can begin or end: no other job would fare better.
var errAway = errors.New("the database does not answer")

// apply carries out the reaps that were found. It fails when the database is away; a job that could not be
// reaped for a reason of its own is only logged, and is judged again.
func (r *Reaper) apply(ctx context.Context, t *tally) error {
	if r.DryRun {
		r.pretend(t)
		return nil
	}
	reaped := 0
	for batch := range slices.Chunk(t.reap, reapBatch) {
		if ctx.Err() != nil {
			break
		}
		n, err := r.reap(ctx, t, batch)
		reaped += n
		if err != nil {
			return fmt.Errorf("recover jobs: %w", err)
		}
	}
	t.more = t.more && reaped > 0 // else the next pass would only find the same again
	return nil
}

// pretended is a job that a dry run would have reaped.
type pretended struct {
	version string
	last    time.Duration // when it was last found so
}

// pretend counts and explains what a dry run would reap, each version of a job once.
func (r *Reaper) pretend(t *tally) {
	for _, j := range t.reap {
		delete(r.recheck, j.Job.ID)
		before, known := r.would[j.Job.ID]
		r.would[j.Job.ID] = pretended{j.Job.Version, t.at.Boot}
		if !known || before.version != j.Job.Version {
			r.Observer.WouldReap(j.Verdict.Tier, j.Verdict.Reason)
			r.audit("would reap", j, t.at)
		}
	}
}

// reap recovers the judged jobs and returns how many were. If a transaction with several fails, each is
// tried alone: one row that makes trouble must not keep the others. The error is errAway.
func (r *Reaper) reap(ctx context.Context, t *tally, judged []watchdog.Judged) (int, error) {
	slices.SortFunc(judged, func(a, b watchdog.Judged) int { return strings.Compare(string(a.Job.ID), string(b.Job.ID)) })
	reaped, err := r.transact(ctx, t, judged)
	if err == nil || errors.Is(err, errAway) {
		return reaped, err
	}
	failed := 0
	for i := range judged {
		if len(judged) == 1 || ctx.Err() != nil {
			failed += len(judged) - i
			break
		}
		n, alone := r.transact(ctx, t, judged[i:i+1])
		reaped += n
		if errors.Is(alone, errAway) {
			return reaped, alone
		}
		if alone != nil {
			failed, err = failed+1, alone
		}
	}
	if failed > 0 && ctx.Err() == nil {
		r.Log.Error("jobs could not be recovered; they will be tried again", "jobs", failed, "of", len(judged),
			"first", judged[0].Job.ID, "error", err)
	}
	return reaped, nil
}
