package sql

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/tests/pg"

	stdsql "database/sql"
)

// What came between the lock's snapshot and the update is seen by the update, a later statement: an orchestrator that
// ran the job again keeps it.
func TestAnUpdateSeesWhatTheLockDidNot(t *testing.T) {
	f := onPostgres(t)
	f.incident(t)
	tx := f.begin(t)
	locked, err := tx.Lock(t.Context(), "1914")
	require.NoError(t, err)
	// There is no row to lock of a run that is not there yet, and without its foreign key none to wait for.
	f.exec(t, "ALTER TABLE agent_runs DISABLE TRIGGER ALL")
	f.exec(t, "INSERT INTO agent_runs (id, job_id, started_at) VALUES (2208, 1914, "+f.at(0)+")")
	changed, err := tx.Requeue(t.Context(), noon, "1914", locked.Version)
	require.NoError(t, err)
	require.False(t, changed)
	changed, err = tx.Fail(t.Context(), noon, "1914", locked.Version)
	require.NoError(t, err)
	require.False(t, changed)
}

// The run is locked with its job, so that the version stays what it is until the commit.
func TestTheRunIsLockedToo(t *testing.T) {
	f := onPostgres(t)
	f.incident(t)
	_, err := f.begin(t).Lock(t.Context(), "1914")
	require.NoError(t, err)
	_, err = f.db.Exec("SET lock_timeout = 50; UPDATE agent_runs SET exit_code = 1 WHERE id = 2207")
	require.ErrorContains(t, err, "lock timeout")
}

// Whoever has the job's row or its run's locked is at work on it, and is not waited for: a batch that waited while it
// holds other jobs could be half of a deadlock, and the orchestrator its victim.
func TestWhatIsLockedIsLeftAlone(t *testing.T) {
	for _, statement := range []string{"UPDATE agent_runs SET exit_code = 0 WHERE id = 2207", "UPDATE jobs SET attempt = 2 WHERE id = 1914"} {
		f := onPostgres(t)
		f.incident(t)
		orchestrator, err := f.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = orchestrator.Exec(statement)
		require.NoError(t, err)

		tx := f.begin(t)
		_, err = tx.Lock(t.Context(), "1914")
		require.ErrorIs(t, err, watchdog.ErrNoJob)
		require.NoError(t, tx.Rollback())
		_, err = orchestrator.Exec("UPDATE jobs SET status = 'done' WHERE id = 1914")
		require.NoError(t, err)
		require.NoError(t, orchestrator.Commit())
	}
}

// A statement of another set may wait for a lock. It gives up in time to say what it waited for.
func TestALockIsGivenUpInTime(t *testing.T) {
	f := onPostgres(t)
	f.incident(t)
	f.config.Timeout = 2 * time.Second
	f.config.Dir = t.TempDir()
	texts, err := embedded(defaultSet, postgres)
	require.NoError(t, err)
	waits := strings.ReplaceAll(texts["lock"].text, "SKIP LOCKED", "")
	require.NoError(t, os.WriteFile(filepath.Join(f.config.Dir, "lock.sql"), []byte(waits), 0o600))
	f.store = f.open(t, f.config)
	orchestrator, err := f.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = orchestrator.Exec("UPDATE jobs SET attempt = 2 WHERE id = 1914")
	require.NoError(t, err)
	defer func() { require.NoError(t, orchestrator.Rollback()) }()

	tx := f.begin(t)
	began := time.Now()
	_, err = tx.Lock(t.Context(), "1914")
	require.ErrorContains(t, err, "lock timeout")
	require.Less(t, time.Since(began), f.config.Timeout)
}

func TestAReadThatWaitsIsCancelledOnTheServer(t *testing.T) {
	f := onPostgres(t)
	f.config.Timeout = 300 * time.Millisecond
	f.store = f.open(t, f.config)
	migration, err := f.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = migration.Exec("LOCK TABLE jobs")
	require.NoError(t, err)
	defer func() { require.NoError(t, migration.Rollback()) }()

	_, err = f.store.Counts(t.Context())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.EqualError(t, err, "count jobs: the database did not answer within 300ms")
	require.Eventually(t, func() bool {
		var n int
		err := f.db.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").Scan(&n)
		return err == nil && n == 0
	}, timeout, 5*time.Millisecond)
}

// A database that is silent holds no call for longer than the timeout and the slack, and is used again once it
// is back.
func TestBlackHole(t *testing.T) {
	f := onPostgres(t)
	f.incident(t)
	for name, call := range map[string]func(context.Context, *Store, *Tx) error{
		"now": func(ctx context.Context, s *Store, _ *Tx) error { _, err := s.Now(ctx); return err },
		"due": func(ctx context.Context, s *Store, _ *Tx) error {
			_, err := s.Due(ctx, noon, time.Minute, time.Hour, "", 10)
			return err
		},
		"begin": func(ctx context.Context, s *Store, _ *Tx) error { _, err := s.Begin(ctx); return err },
		"lock":  func(ctx context.Context, _ *Store, tx *Tx) error { _, err := tx.Lock(ctx, "1914"); return err },
		"requeue": func(ctx context.Context, _ *Store, tx *Tx) error {
			_, err := tx.Requeue(ctx, noon, "1914", "v")
			return err
		},
		"commit": func(ctx context.Context, _ *Store, tx *Tx) error { return tx.Commit(ctx) },
		"cancelled": func(ctx context.Context, s *Store, _ *Tx) error {
			ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			_, err := s.Now(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.blackHole(t, call)
		})
	}
}

// blackHole makes a call through a proxy that has just fallen silent.
func (f *fixture) blackHole(t *testing.T, call func(context.Context, *Store, *Tx) error) {
	const short, most = time.Second, time.Second + slack + 5*time.Second // the last is a busy machine's
	proxy := pg.NewProxy(t, f.pg.Server.Addr)
	store := f.open(t, Config{URL: f.pg.At(proxy.Addr), Timeout: short})
	tx := soonBegun(t, store)
	soon(t, func() error { // leaves a connection idle, which the silence will find established
		_, err := store.Now(t.Context())
		return err
	})

	proxy.Silence()
	began := time.Now()
	require.Error(t, call(t.Context(), store, tx))
	require.Less(t, time.Since(began), most)
	began = time.Now()
	_ = tx.Rollback()
	require.Less(t, time.Since(began), most)

	proxy.Resume()
	soon(t, func() error {
		_, err := store.Now(t.Context())
		return err
	})
	require.NoError(t, soonBegun(t, store).Rollback())
}

// TestAServerThatIsStopped: on a connection that keeps statements prepared, too, a call that is given up returns before
// long, though nobody answers the request to cancel it.
func TestAServerThatIsStopped(t *testing.T) {
	server := pg.Start(t)
	d, err := server.Create()
	require.NoError(t, err)
	store := (&fixture{}).open(t, Config{URL: d.URL(), Timeout: 90 * time.Second})
	schema, err := Schema("orchestrator", "postgres")
	require.NoError(t, err)
	_, err = store.db.Exec(schema + "; INSERT INTO jobs (id, status) VALUES (1914, 'running')")
	require.NoError(t, err)
	due := func(ctx context.Context) error {
		_, err := store.Due(ctx, noon, time.Minute, time.Hour, "", 10)
		return err
	}
	var tx *Tx
	for name, call := range map[string]func(context.Context) error{
		"due":  due,
		"lock": func(ctx context.Context) error { _, err := tx.Lock(ctx, "1914"); return err },
		"requeue": func(ctx context.Context) error {
			_, err := tx.Requeue(ctx, noon, "1914", "v")
			return err
		},
	} {
		if tx, err = nil, nil; name != "due" {
			tx, err = store.Begin(t.Context())
			require.NoError(t, err)
		}
		require.NoError(t, call(t.Context()), name) // it is prepared now
		server.Signal(t, syscall.SIGSTOP)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		began := time.Now()
		require.Error(t, call(ctx), name)
		require.Less(t, time.Since(began), 30*time.Second, name)
		cancel()
		if tx != nil {
			_ = tx.Rollback()
		}
		server.Signal(t, syscall.SIGCONT)
		soon(t, func() error { return due(t.Context()) })
	}
}

// soon makes a call whose store gives it little time until it succeeds: a busy machine may need more.
func soon(t *testing.T, call func() error) {
	t.Helper()
	var err error
	if !assert.Eventually(t, func() bool { err = call(); return err == nil }, time.Minute, time.Millisecond) {
		t.Fatal(err)
	}
}

func soonBegun(t *testing.T, s *Store) (tx *Tx) {
	t.Helper()
	soon(t, func() (err error) {
		tx, err = s.Begin(t.Context())
		return err
	})
	return tx
}

func TestADatabaseThatWasAwayIsUsedAgain(t *testing.T) {
	server := pg.Start(t)
	d, err := server.Create()
	require.NoError(t, err)
	store, err := Open(Config{URL: d.URL(), Timeout: timeout})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()

	_, err = store.Now(t.Context())
	require.NoError(t, err)
	server.Stop()
	_, err = store.Now(t.Context())
	require.ErrorContains(t, err, "connection refused")
	require.NoError(t, server.Restart())
	_, err = store.Now(t.Context())
	require.NoError(t, err)
}

// A batch whose connection dies silently keeps its rows from the orchestrator for no longer than one call may take.
func TestRowsAreNotHeldLongByAConnectionThatDied(t *testing.T) {
	f := onPostgres(t)
	f.incident(t)
	proxy := pg.NewProxy(t, f.pg.Server.Addr)
	store := f.open(t, Config{URL: f.pg.At(proxy.Addr), Timeout: 2 * time.Second})
	tx, err := store.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Lock(t.Context(), "1914")
	require.NoError(t, err)
	proxy.Silence()
	_, err = f.db.Exec("SET lock_timeout = '20s'; UPDATE jobs SET attempt = 2 WHERE id = 1914")
	require.NoError(t, err)
	require.Error(t, tx.Commit(t.Context()))
}

// A process that has to end does not wait for a silent server's answer to a commit as long as it otherwise would.
func TestACommitIsHastened(t *testing.T) {
	f := onPostgres(t)
	f.incident(t)
	proxy := pg.NewProxy(t, f.pg.Server.Addr)
	store := f.open(t, Config{URL: f.pg.At(proxy.Addr), Timeout: time.Minute})
	tx, err := store.Begin(t.Context())
	require.NoError(t, err)
	proxy.Silence()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	require.Error(t, tx.Commit(ctx))
	require.Less(t, time.Since(began), lastWords+20*time.Second)
}

func TestAReadOnlyTransactionIsOne(t *testing.T) {
	f := onPostgres(t)
	tx, err := f.store.db.BeginTxx(t.Context(), &stdsql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	_, err = tx.Exec("INSERT INTO tasks (ref) VALUES ('written')")
	require.ErrorContains(t, err, "read-only")
}
