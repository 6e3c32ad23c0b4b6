package liveness

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// Rows reads jobs from the orchestrator's database.
type Rows interface {
	// Jobs returns those that there are, and an instant before they were read.
	Jobs(ctx context.Context, ids []watchdog.JobID) ([]watchdog.Job, watchdog.Instant, error)
	// Unlocked returns those whose rows no transaction has locked.
	Unlocked(ctx context.Context, ids []watchdog.JobID) ([]watchdog.JobID, error)
}

const (
	askBatch   = 500
	askRetry   = time.Second
	closedScan = time.Minute
	// askPace is between two questions that nobody waits for: marks, as fast as they can be sent, must not keep the
	// database busy.
	askPace = 50 * time.Millisecond
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
	wake    chan struct{}                    // somebody waits
	noted   chan struct{}                    // there is something wanted
}

// answer is what a waiter gets: the run that counts of its job, or why that is not known.
type answer struct {
	newest *Newest
	err    error
}

func newAsker(rows Rows, registry *Registry, log *slog.Logger, settled func()) *asker {
	return &asker{rows: rows, registry: registry, log: log, settled: settled,
		waiting: make(map[watchdog.JobID][]chan answer), wanted: make(map[watchdog.JobID]struct{}),
		wake: make(chan struct{}, 1), noted: make(chan struct{}, 1)}
}

// want has the job asked about before long.
func (a *asker) want(job watchdog.JobID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.note(job)
}

// note has the job asked about by and by. There are no more of those than can be owned: a peer that marks and
// clears faster than the database answers makes no more, and what stays owned is asked about once a minute in
// any case.
func (a *asker) note(job watchdog.JobID) {
	if len(a.wanted) < a.registry.cfg.Limits.Total {
		a.wanted[job] = struct{}{}
	}
	prod(a.noted)
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
		return ch
	}
	a.waiting[job] = append(a.waiting[job], ch)
	prod(a.wake)
	return ch
}

// late is called by who waited in vain: until there is an answer the others need not wait as long.
func (a *asker) late(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = err
}

func prod(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// run answers until ctx ends, and once a minute compares all that is owned with the database.
func (a *asker) run(ctx context.Context) {
	scan := time.NewTicker(closedScan)
	defer scan.Stop()
	again := time.NewTimer(0)
	defer again.Stop()
	noted := a.noted
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
		case <-a.wake: // also while the database is away: of those who wait only who began before that was known is left
		case <-noted:
		case <-again.C:
			noted = a.noted
		}
		more, err := a.round(ctx)
		switch {
		case err != nil:
			noted = nil // a database that is away is not asked for each mark
			again.Reset(askRetry)
		case more:
			noted = nil
			again.Reset(askPace)
		}
	}
}

// round asks until nobody waits, and once in any case. It tells whether more is wanted.
func (a *asker) round(ctx context.Context) (more bool, err error) {
	for {
		batch, left := a.take()
		if len(batch) == 0 {
			return left > 0, nil
		}
		ids := make([]watchdog.JobID, 0, len(batch))
		for job := range batch {
			ids = append(ids, job)
		}
		a.settle(ctx, ids)
		rows, at, err := a.rows.Jobs(ctx, ids)
		if err == nil {
			a.registry.Observe(at, ids, rows)
			a.settled()
		} else if ctx.Err() == nil {
			a.log.Warn("the database did not answer about owned jobs; checks that need it are unavailable", "error", err)
		}
		a.tell(batch, rows, at.Boot, err)
		if err != nil || !a.awaited() {
			return true, err
		}
	}
}

// settle asks about those of the jobs of which a read alone does not tell enough. Those of whom it does not find out
// are not confirmed by the read that follows.
func (a *asker) settle(ctx context.Context, ids []watchdog.JobID) {
	unsettled := a.registry.Unsettled(ids)
	if len(unsettled) == 0 {
		return
	}
	free, err := a.rows.Unlocked(ctx, unsettled)
	if err != nil && ctx.Err() == nil {
		a.log.Warn("the rows of owned jobs could not be locked; checks that need it are unavailable", "error", err)
	}
	a.registry.Settled(free)
}

// tell answers who waited, by rows that were read after the instant.
func (a *asker) tell(batch map[watchdog.JobID][]chan answer, rows []watchdog.Job, at time.Duration, err error) {
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
			ch <- answer{newest: &Newest{newestOf(job, rows), at}, err: err}
		}
	}
}

func (a *asker) awaited() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.waiting) > 0
}

// take returns what to ask about next, first that for which somebody waits, and how much is left. What is wanted
// and not owned any more is passed over.
func (a *asker) take() (batch map[watchdog.JobID][]chan answer, left int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	batch = make(map[watchdog.JobID][]chan answer)
	for job, waiters := range a.waiting {
		if len(batch) == askBatch {
			return batch, len(a.waiting) + len(a.wanted)
		}
		batch[job] = waiters
		delete(a.waiting, job)
		delete(a.wanted, job)
	}
	looked := 0
	for job := range a.wanted {
		if len(batch) == askBatch || looked == 10*askBatch {
			break
		}
		looked++
		if a.registry.Owns(job) {
			batch[job] = nil
		}
		delete(a.wanted, job)
	}
	return batch, len(a.wanted)
}
