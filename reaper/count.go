package reaper

import (
	"context"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

const countEvery = time.Minute

// count returns the number of open jobs. It is read once a minute, and when the brake depends on it.
func (r *Reaper) count(ctx context.Context, t *tally) (open int, err error) {
	r.mu.Lock()
	many := r.doubts.many(t.unproven)
	counts := r.status.Counts
	r.mu.Unlock()
	if counts != nil && !many && t.at.Boot < r.counted+countEvery {
		return counts[watchdog.StatusRunning], nil
	}
	var skew time.Duration
	r.meanwhile(ctx, func() {
		if counts, err = r.Store.Counts(ctx); err == nil {
			skew, err = r.skew(ctx)
		}
	})
	if err != nil {
		return 0, err
	}
	r.counted = t.at.Boot
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Counts, r.status.ClockSkew = counts, skew
	return counts[watchdog.StatusRunning], nil
}

// skew is the database's clock less the host's.
func (r *Reaper) skew(ctx context.Context) (time.Duration, error) {
	before := time.Now()
	database, err := r.Store.Now(ctx)
	if err != nil {
		return 0, err
	}
	return database.Sub(before.Add(time.Since(before) / 2)), nil
}
