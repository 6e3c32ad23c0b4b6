package reaper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/finalizer-watchdog/watchdog"
)

// Unlocked returns those of the jobs whose rows no transaction has locked: it locks each for a moment, a few
// together. A dry run locks nothing, for it writes nothing and may not be allowed to, and takes all for free.
func (r *Reaper) Unlocked(ctx context.Context, ids []watchdog.JobID) (free []watchdog.JobID, err error) {
	if r.DryRun {
		return ids, nil
	}
	for batch := range slices.Chunk(ids, reapBatch) {
		free, err = r.tryLocks(ctx, batch, free)
		if err != nil {
			return free, err
		}
	}
	return free, nil
}

// tryLocks appends those of the jobs that could be locked in one transaction, which changes nothing.
func (r *Reaper) tryLocks(ctx context.Context, ids, free []watchdog.JobID) ([]watchdog.JobID, error) {
	tx, err := r.Store.Begin(ctx)
	if err != nil {
		return free, fmt.Errorf("begin transaction: %w", err)
	}
	for _, id := range ids {
		_, err := tx.Lock(ctx, id)
		if errors.Is(err, watchdog.ErrNoJob) {
			continue
		}
		if err != nil {
			return free, errors.Join(fmt.Errorf("lock job %s: %w", id, err), rollback(tx))
		}
		free = append(free, id)
	}
	return free, rollback(tx)
}
