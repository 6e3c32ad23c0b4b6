package simulation

import (
	"context"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// store is the database as one incarnation of the watchdog reaches it. Each call is two effects of that
// incarnation: that it was made, and that its reply came.
type store struct {
	db *database
	by *incarnation
}

// call makes a call: when the statement is carried out, do is, under the world's mutex.
func (s store) call(ctx context.Context, op string, do func() error) error {
	if err := s.by.before(op); err != nil {
		return err
	}
	err := s.db.suffer(ctx, op, func() error {
		if s.by.dead.Load() {
			return errKilled
		}
		return do()
	})
	if gone := s.by.afterwards(op); gone != nil {
		return gone
	}
	return err
}

func (s store) Due(ctx context.Context, now time.Time, grace, ceiling time.Duration, after watchdog.JobID, limit int) (jobs []watchdog.Job, err error) {
	asked := s.by.w.boot()
	err = s.call(ctx, "due", func() error {
		if s.by.passed == 0 {
			s.by.passed = s.db.w.now()
		}
		jobs = s.db.page(after, limit, func(j watchdog.Job) bool {
			return j.Finished() && now.Sub(j.FinishedAt) >= grace || now.Sub(j.Began()) >= ceiling
		})
		s.db.w.witness.read(s.by, asked, jobs)
		return nil
	})
	return jobs, err
}

func (s store) OpenJobs(ctx context.Context, _ time.Time, after watchdog.JobID, limit int) (jobs []watchdog.Job, err error) {
	asked := s.by.w.boot()
	err = s.call(ctx, "open", func() error {
		jobs = s.db.page(after, limit, func(watchdog.Job) bool { return true })
		s.db.w.witness.read(s.by, asked, jobs)
		return nil
	})
	return jobs, err
}

func (s store) Jobs(ctx context.Context, _ time.Time, ids []watchdog.JobID) (jobs []watchdog.Job, err error) {
	asked := s.by.w.boot()
	err = s.call(ctx, "jobs", func() error {
		for _, id := range ids {
			if r := s.db.rows[id]; r != nil {
				jobs = append(jobs, r.Job)
			}
		}
		s.db.w.witness.read(s.by, asked, jobs)
		return nil
	})
	return jobs, err
}

func (s store) Counts(ctx context.Context) (counts map[string]int, err error) {
	err = s.call(ctx, "counts", func() error {
		counts = make(map[string]int)
		for _, r := range s.db.rows {
			counts[r.Status]++
		}
		return nil
	})
	return counts, err
}

func (s store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.call(ctx, "now", func() error {
		now = s.db.clock()
		return nil
	})
	return now, err
}

func (s store) Begin(ctx context.Context) (reaper.Tx, error) {
	x := &tx{store: s, began: s.by.w.boot(), staged: make(map[watchdog.JobID]watchdog.Job)}
	err := s.call(ctx, "begin", func() error {
		s.by.open[x] = struct{}{}
		return nil
	})
	return x, err
}

// tx is a transaction of the reaper's. What it has staged others see when it has committed.
type tx struct {
	store
	began  time.Duration
	staged map[watchdog.JobID]watchdog.Job
}

func (x *tx) Lock(ctx context.Context, id watchdog.JobID) (j watchdog.Job, err error) {
	err = x.call(ctx, "lock", func() error {
		if err := x.lock(id); err != nil {
			return err
		}
		j = x.db.rows[id].Job
		return nil
	})
	return j, err
}

// lock waits for the row's lock. Whoever died while it waited does not get it.
func (x *tx) lock(id watchdog.JobID) error {
	if err := x.db.lock(id, x, x.db.w.settings.statement/2); err != nil {
		return err
	}
	if x.by.dead.Load() {
		x.db.unlock(x)
		return errKilled
	}
	return nil
}

func (x *tx) Requeue(ctx context.Context, now time.Time, id watchdog.JobID, version string) (bool, error) {
	return x.write(ctx, now, id, version, watchdog.StatusQueued)
}

func (x *tx) Fail(ctx context.Context, now time.Time, id watchdog.JobID, version string) (bool, error) {
	return x.write(ctx, now, id, version, watchdog.StatusFailed)
}

func (x *tx) write(ctx context.Context, now time.Time, id watchdog.JobID, version, status string) (changed bool, err error) {
	err = x.call(ctx, "requeue", func() error {
		r := x.db.rows[id]
		if err := x.lock(id); err != nil {
			return err
		}
		if r == nil || !r.Open() || r.Version != version {
			return nil
		}
		j := r.Job
		j.Status = status
		if status == watchdog.StatusQueued {
			j.StartedAt = time.Time{}
		}
		x.staged[id] = j
		x.db.w.witness.stages(x.by, r.Job, now)
		changed = true
		return nil
	})
	return changed, err
}

// Commit commits, or does not, or does without saying so, or does only after it has been given up.
func (x *tx) Commit(context.Context) error {
	var outcome error
	err := x.call(context.Background(), "commit", func() error {
		x.db.w.witness.commits(x)
		fate := ""
		if w := x.db.w; len(x.db.commits) > 0 && !w.draining {
			fate, x.db.commits = x.db.commits[0], x.db.commits[1:]
			w.note("the commit is %s", fate)
		}
		delete(x.by.open, x)
		switch fate {
		case "refused":
			x.db.unlock(x)
			outcome = errDown
		case "lost":
			x.commit()
			outcome = errLost
		case "late":
			x.db.w.group.Go(func() {
				x.db.w.sleep(x.db.w.settings.statement)
				x.db.w.mu.Lock()
				defer x.db.w.mu.Unlock()
				x.commit()
			})
			outcome = errLost
		default:
			x.commit()
		}
		return nil
	})
	if err != nil {
		x.abandon()
		return err
	}
	return outcome
}

// commit makes what was staged the rows' next version. The caller holds the world's mutex.
func (x *tx) commit() {
	for id, j := range x.staged {
		x.db.w.witness.reaps(x.by, x.db.rows[id].Job, j)
		x.db.write("reaper "+x.by.name, j)
	}
	x.db.unlock(x)
}

func (x *tx) Rollback() error {
	err := x.call(context.Background(), "rollback", func() error { return nil })
	x.abandon()
	return err
}

// abandon undoes the transaction. That of a client that died the server undoes when it finds out, see kill.
func (x *tx) abandon() {
	if x.by.dead.Load() {
		return
	}
	x.undo()
}

func (x *tx) undo() {
	x.db.w.mu.Lock()
	defer x.db.w.mu.Unlock()
	if _, open := x.by.open[x]; open {
		delete(x.by.open, x)
		x.db.unlock(x)
	}
}
