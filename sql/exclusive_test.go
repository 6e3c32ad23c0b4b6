package sql

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
)

func exclusive(t testing.TB, cfg Config) *Exclusive {
	e, err := NewExclusive(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func TestOneWatchdogHoldsADatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		first, second := exclusive(t, f.config), exclusive(t, f.config)
		require.NoError(t, first.Hold(t.Context()))
		require.NoError(t, first.Hold(t.Context()), "it is still ours")
		require.ErrorIs(t, second.Hold(t.Context()), ErrHeld)

		_, err := f.store.Counts(t.Context())
		require.NoError(t, err, "the orchestrator's tables stay free")
		f.exec(t, "INSERT INTO jobs (id, status) VALUES (1, 'running')")

		require.NoError(t, first.Close())
		require.NoError(t, second.Hold(t.Context()))
	})
}

func TestALostSessionIsTakenAgain(t *testing.T) {
	f := onPostgres(t)
	first, second := exclusive(t, f.config), exclusive(t, f.config)
	require.NoError(t, first.Hold(t.Context()))
	kill := "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"

	f.exec(t, kill)
	require.NoError(t, first.Hold(t.Context()), "nobody else was quicker")

	f.exec(t, kill)
	soon(t, func() error { return second.Hold(t.Context()) })
	require.ErrorIs(t, first.Hold(t.Context()), ErrHeld)
}

func TestNothingIsHeldThroughATransactionPooler(t *testing.T) {
	f := onPostgres(t)
	addr := pg.StartBouncer(t, f.pg.Server, 3)
	e := exclusive(t, Config{URL: f.pg.At(addr), Timeout: timeout})
	for range 5 {
		require.ErrorIs(t, e.Hold(t.Context()), errPooled)
	}
	require.NoError(t, exclusive(t, f.config).Hold(t.Context()), "the pooler's sessions keep no lock")
}

func TestHoldIsBounded(t *testing.T) {
	f := onPostgres(t)
	proxy := pg.NewProxy(t, f.pg.Server.Addr)
	const short = 250 * time.Millisecond
	e := exclusive(t, Config{URL: f.pg.At(proxy.Addr), Timeout: short})
	soon(t, func() error { return e.Hold(t.Context()) })
	proxy.Silence()
	for range 2 {
		began := time.Now()
		require.Error(t, e.Hold(t.Context()))
		require.Less(t, time.Since(began), short+slack+5*time.Second) // the last is a busy machine's
	}
	// The server has not heard that the connection is over, and has the lock still.
	f.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
	proxy.Resume()
	soon(t, func() error { return e.Hold(t.Context()) })
}

// The lock is between processes, and neither SQLite's locks nor it disturb each other.
func TestAFileIsHeldAgainstAnotherProcess(t *testing.T) {
	f := onSQLite(t)
	e := exclusive(t, f.config)
	require.NoError(t, e.Hold(t.Context()))
	path := f.config.URL[len("sqlite:"):]
	require.Error(t, exec.Command("flock", "-n", path, "true").Run())
	require.NoError(t, e.Close())
	require.NoError(t, exec.Command("flock", "-n", path, "true").Run())
}

func TestAFileThatWasReplacedIsHeldAnew(t *testing.T) {
	f := onSQLite(t)
	path := f.config.URL[len("sqlite:"):]
	e := exclusive(t, f.config)
	require.NoError(t, e.Hold(t.Context()))
	require.NoError(t, os.Rename(path, path+".old"))
	require.ErrorContains(t, e.Hold(t.Context()), "no such file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.ErrorContains(t, e.Hold(t.Context()), "was replaced", "it is told once")
	require.NoError(t, e.Hold(t.Context()))
	require.ErrorIs(t, exclusive(t, f.config).Hold(t.Context()), ErrHeld)
}

func TestHoldCreatesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.db")
	e := exclusive(t, Config{URL: "sqlite:" + path})
	require.ErrorContains(t, e.Hold(t.Context()), "no such file")
	require.NoFileExists(t, path)
}
