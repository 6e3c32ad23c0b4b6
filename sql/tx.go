package sql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	watchdog "github.com/finalizer-watchdog/watchdog"

	stdsql "database/sql"
)

// Tx is one transaction that hands a job back. It is used by one goroutine, and ends with Commit or Rollback;
// Rollback after Commit does nothing, so that it can be deferred.
type Tx struct {
	store *Store
	tx    *sqlx.Tx
	end   func()       // gives the connection back
	wire  *boundedConn // nil on SQLite
}

// lastWords is how long a commit that is under way may go on once its caller has to end.
const lastWords = 2 * time.Second

// Begin starts a transaction. It outlives the context that it was begun with; each of its calls has one of its own.
func (s *Store) Begin(ctx context.Context) (*Tx, error) {
	ctx, done := s.bounded(ctx)
	defer done()
	conn, err := s.db.Connx(ctx)
	if err != nil {
		return nil, s.failed(ctx, "begin transaction", err)
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	t := &Tx{store: s, end: func() {
		end()
		_ = conn.Close() // it only goes back to the others
	}}
	letGo := context.AfterFunc(ctx, end)
	t.tx, err = conn.BeginTxx(life, nil)
	if !letGo() && err == nil {
		err = errors.Join(context.Cause(ctx), t.tx.Rollback())
	}
	if err == nil {
		err = conn.Raw(func(driver any) error {
			t.wire, _ = driver.(*boundedConn)
			return nil
		})
	}
	if err != nil {
		t.end()
		return nil, s.failed(ctx, "begin transaction", err)
	}
	return t, nil
}

// Lock locks a job's row and its run's. It gives watchdog.ErrNoJob when there is none, or when somebody has one of the
// rows locked. Where another set's statement waits, the job may be as it was before the wait; Requeue and Fail, being
// later statements, see it as it is.
func (t *Tx) Lock(ctx context.Context, id watchdog.JobID) (watchdog.Job, error) {
	if !storable(string(id)) {
		return watchdog.Job{}, watchdog.ErrNoJob
	}
	ctx, cancel := t.store.bounded(ctx)
	defer cancel()
	job, found := watchdog.Job{}, false
	err := t.store.query(ctx, t.tx, "lock", map[string]any{"job": string(id)}, func(r *row) error {
		if !found {
			job, found = r.job(), true
		}
		return nil
	})
	if err != nil {
		return watchdog.Job{}, t.store.failed(ctx, "lock job", err)
	}
	if !found {
		return watchdog.Job{}, watchdog.ErrNoJob
	}
	return job, nil
}

// Requeue hands the job back to its queue if it still has the version that was judged. changed is false when it
// has not: a lost race.
func (t *Tx) Requeue(ctx context.Context, now time.Time, id watchdog.JobID, version string) (changed bool, err error) {
	return t.write(ctx, "requeue", now, id, version)
}

// Fail closes the job as failed, on the same condition as Requeue.
func (t *Tx) Fail(ctx context.Context, now time.Time, id watchdog.JobID, version string) (changed bool, err error) {
	return t.write(ctx, "fail", now, id, version)
}

func (t *Tx) write(ctx context.Context, name string, now time.Time, id watchdog.JobID, version string) (bool, error) {
	if !storable(string(id)) || !storable(version) {
		return false, nil
	}
	ctx, cancel := t.store.bounded(ctx)
	defer cancel()
	st := t.store.statements[name]
	result, err := t.tx.ExecContext(st.context(ctx), st.query, st.args(map[string]any{
		"now": seconds(now), "job": string(id), "version": version})...)
	if err != nil {
		return false, t.store.failed(ctx, name+" job", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return false, t.store.fail(name+" job", err)
	}
	if n > 1 {
		return false, fmt.Errorf("%s job: statement %s (%s) changed %d rows", name, name, st.origin, n)
	}
	return n == 1, nil
}

// Commit makes the transaction's changes last. After an error its outcome is unknown, unless the error is the
// database's own refusal. It is not given up when ctx ends, only hurried.
func (t *Tx) Commit(ctx context.Context) error {
	defer t.end()
	if t.wire != nil {
		defer context.AfterFunc(ctx, func() { t.wire.hasten(lastWords) })()
	}
	return t.store.fail("commit transaction", t.tx.Commit())
}

// Rollback undoes the transaction.
func (t *Tx) Rollback() error {
	defer t.end()
	if err := t.tx.Rollback(); err != nil && !errors.Is(err, stdsql.ErrTxDone) {
		return t.store.fail("roll back transaction", err)
	}
	return nil
}
