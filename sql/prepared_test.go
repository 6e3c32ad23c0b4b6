package sql

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/tests/pg"
)

// reap runs the statements of a reap, on one connection.
func (f *fixture) reap(t testing.TB) {
	f.store.db.SetMaxOpenConns(1)
	read, err := f.store.Jobs(t.Context(), noon, []watchdog.JobID{"1914"})
	require.NoError(t, err)
	require.Len(t, read, 1)
	tx := f.begin(t)
	_, err = tx.Lock(t.Context(), "1914")
	require.NoError(t, err)
	changed, err := tx.Requeue(t.Context(), noon, "1914", read[0].Version)
	require.NoError(t, err)
	require.True(t, changed)
	require.NoError(t, tx.Rollback())
}

// heldPrepared is how many statements the server keeps for the store's one connection.
func (f *fixture) heldPrepared(t testing.TB) (n int) {
	require.NoError(t, f.store.db.QueryRow("SELECT count(*) FROM pg_prepared_statements").Scan(&n))
	return n
}

func TestStatementsOfAReapAreKeptPrepared(t *testing.T) {
	f := onPostgres(t)
	f.incident(t)
	f.reap(t)
	f.reap(t)
	require.Equal(t, 3, f.heldPrepared(t), "jobs, lock and requeue")
}

// Behind a pooler another client would meet them.
func TestNothingIsKeptPreparedBehindAPooler(t *testing.T) {
	f := onPostgres(t)
	f.incident(t)
	f.store = f.open(t, Config{URL: f.pg.At(pg.StartBouncer(t, f.pg.Server, 1)), Timeout: timeout})
	f.reap(t)
	require.Zero(t, f.heldPrepared(t))
}

// A migration changes what a kept statement gives: it fails once and is prepared anew.
func TestAMigrationIsSurvived(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.incident(t)
		f.reap(t)
		f.exec(t, "ALTER TABLE tasks ADD COLUMN owner text")
		if f.dialect == postgres {
			f.exec(t, "ALTER TABLE tasks ALTER COLUMN stage TYPE varchar(40)")
		}
		require.Eventually(t, func() bool {
			read, err := f.store.Jobs(t.Context(), noon, []watchdog.JobID{"1914"})
			return err == nil && len(read) == 1 && read[0].Stage == "deploy-staging"
		}, timeout, time.Millisecond)
		f.reap(t)
	})
}
