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
	store  *Store
	tx     *sqlx.Tx
	cancel context.CancelFunc
}

// Begin starts a transaction. It outlives the context that it was begun with: the end of a pass must not be the
// end of a commit. Each of its calls has a context, or a timeout, of its own.
func (s *Store) Begin(ctx context.Context) (*Tx, error) {
	ctx, done := s.bounded(ctx)
	defer done()
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	letGo := context.AfterFunc(ctx, end)
	tx, err := s.db.BeginTxx(life, nil)
	if !letGo() && err == nil {
		err = errors.Join(context.Cause(ctx), tx.Rollback())
	}
	if err != nil {
		end()
		return nil, s.failed(ctx, "begin transaction", err)
	}
	return &Tx{store: s, tx: tx, cancel: end}, nil
}

// Lock locks a job's row and its run's, and gives watchdog.ErrNoJob when there is none. Where it had to wait, the job
// that it returns may be as it was before the wait; Requeue and Fail, being later statements, see it as it is.
func (t *Tx) Lock(ctx context.Context, id watchdog.JobID) (watchdog.Job, error) {
	if !storable(string(id)) {
		return watchdog.Job{}, watchdog.ErrNoJob
	}
	ctx, cancel := t.store.bounded(ctx)
	defer cancel()
	rows, err := t.store.query(ctx, t.tx, "lock", map[string]any{"job": string(id)})
	if err != nil {
		return watchdog.Job{}, t.store.failed(ctx, "lock job", err)
	}
	if len(rows) == 0 {
		return watchdog.Job{}, watchdog.ErrNoJob
	}
	return rows[0].job(), nil
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
// database's own refusal.
func (t *Tx) Commit() error {
	defer t.cancel()
	return t.store.fail("commit transaction", t.tx.Commit())
}

// Rollback undoes the transaction.
func (t *Tx) Rollback() error {
	defer t.cancel()
	if err := t.tx.Rollback(); err != nil && !errors.Is(err, stdsql.ErrTxDone) {
		return t.store.fail("roll back transaction", err)
	}
	return nil
}
