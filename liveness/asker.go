package liveness

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// Rows reads jobs from the orchestrator's database. The instant is one before the read.
type Rows interface {
	Jobs(ctx context.Context, ids []watchdog.JobID) ([]watchdog.Job, watchdog.Instant, error)
}

const (
	askBatch   = 500
	askRetry   = time.Second
	closedScan = time.Minute
)

// asker asks the database about jobs on behalf of the sessions, many in one question, and has the registry
// observe the answers.
type asker struct {
	rows     Rows
	registry *Registry
	log      *slog.Logger
	settled  func() // called after each observation

	mu      sync.Mutex
	waiting map[watchdog.JobID][]chan answer // jobs that somebody waits for
	wanted  map[watchdog.JobID]struct{}      // jobs to be asked about that nobody waits for
	down    error                            // why the last question has no answer; nil: it has
	wake    chan struct{}
}

// answer is what a waiter gets: the run that counts of its job, or why that is not known.
type answer struct {
	newest *watchdog.RunID
	err    error
}

func newAsker(rows Rows, registry *Registry, log *slog.Logger, settled func()) *asker {
	return &asker{rows: rows, registry: registry, log: log, settled: settled,
		waiting: make(map[watchdog.JobID][]chan answer), wanted: make(map[watchdog.JobID]struct{}), wake: make(chan struct{}, 1)}
}

// want has the job asked about before long.
func (a *asker) want(job watchdog.JobID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.note(job)
	a.prod()
}

// note has the job asked about by and by. There are no more of those than can be owned: a peer that marks and
// clears faster than the database answers makes no more, and what stays owned is asked about once a minute in
// any case.
func (a *asker) note(job watchdog.JobID) {
	if len(a.wanted) < a.registry.cfg.Limits.Total {
		a.wanted[job] = struct{}{}
	}
}

// ask is want for somebody who waits. While the database is known to be away, or to be slow, the answer is
// that, at once.
func (a *asker) ask(job watchdog.JobID) <-chan answer {
	ch := make(chan answer, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down != nil {
		ch <- answer{err: a.down}
		a.note(job)
		a.prod()
		return ch
	}
	a.waiting[job] = append(a.waiting[job], ch)
	a.prod()
	return ch
}

// late is called by who waited in vain: until there is an answer the others need not wait as long.
func (a *asker) late(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = err
}

func (a *asker) prod() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// run answers until ctx ends, and once a minute compares all that is owned with the database.
func (a *asker) run(ctx context.Context) {
	scan := time.NewTicker(closedScan)
	defer scan.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	wake := a.wake
	for {
		select {
		case <-ctx.Done():
			return
		case <-scan.C:
			for _, job := range a.registry.Owned() {
				a.want(job)
			}
			a.registry.Recall()
			continue
		case <-wake:
		case <-retry.C:
		}
		wake = a.wake
		if !a.round(ctx) {
			wake = nil // a database that is away is not asked for each mark
			retry.Reset(askRetry)
		}
	}
}

// round asks until nobody waits, and is false when the database did not answer: those who waited are told,
// their jobs are asked about again.
func (a *asker) round(ctx context.Context) bool {
	for ctx.Err() == nil {
		batch := a.take()
		if len(batch) == 0 {
			return true
		}
		ids := make([]watchdog.JobID, 0, len(batch))
		for job := range batch {
			ids = append(ids, job)
		}
		rows, at, err := a.rows.Jobs(ctx, ids)
		if err == nil {
			a.registry.Observe(at, ids, rows)
			a.settled()
		} else if ctx.Err() == nil {
			a.log.Warn("the database did not answer about owned jobs; checks that need it are unavailable", "error", err)
		}
		a.mu.Lock()
		a.down = err
		for job := range batch {
			if err != nil {
				a.note(job)
			}
		}
		a.mu.Unlock()
		for job, waiters := range batch {
			for _, ch := range waiters {
				ch <- answer{newest: newestOf(job, rows), err: err}
			}
		}
		if err != nil {
			return false
		}
	}
	return true
}

// take returns what to ask about next: first that for which somebody waits.
func (a *asker) take() map[watchdog.JobID][]chan answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	batch := make(map[watchdog.JobID][]chan answer)
	for job, waiters := range a.waiting {
		if len(batch) == askBatch {
			return batch
		}
		batch[job] = waiters
		delete(a.waiting, job)
		delete(a.wanted, job)
	}
	for job := range a.wanted {
		if len(batch) == askBatch {
			break
		}
		batch[job] = nil
		delete(a.wanted, job)
	}
	return batch
}
