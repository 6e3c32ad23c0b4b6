package sql

import (
	"context"
	"database/sql/driver"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
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

// What a pass and a page run is kept prepared, and planned once for all values unless somebody else has written one of
// the statements: the best plan of that may depend on them.
func TestStatementsOfAPassAreKeptPrepared(t *testing.T) {
	f := onPostgres(t)
	f.incident(t)
	ours, err := embedded(defaultSet, postgres)
	require.NoError(t, err)
	for _, c := range []struct {
		override, text, mode string
		kept                 int
	}{
		{mode: "force_generic_plan", kept: 4},
		{override: "counts", text: ours["counts"].text, mode: "force_generic_plan", kept: 4},
		{override: "lock", text: ours["lock"].text, mode: "auto", kept: 4},
		{override: "due_jobs", text: foreignDue, mode: "auto", kept: 3},
	} {
		config := f.config
		if c.override != "" {
			config.Dir = t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(config.Dir, c.override+".sql"), []byte(c.text), 0o600))
		}
		f.store = f.open(t, config)
		f.store.db.SetMaxOpenConns(1)
		f.look(t)
		f.look(t)
		require.Equal(t, c.kept, f.heldPrepared(t), c.override)
		var mode string
		var anew int
		require.NoError(t, f.store.db.QueryRow(
			"SELECT current_setting('plan_cache_mode'), sum(custom_plans) FROM pg_prepared_statements").Scan(&mode, &anew))
		require.Equal(t, c.mode, mode, c.override)
		require.Equal(t, c.mode == "auto", anew > 0, "%s: %d plans were made for the values of one call", c.override, anew)
	}
}

// look runs the statements of a pass and of a page.
func (f *fixture) look(t testing.TB) {
	_, err := f.store.Due(t.Context(), noon, time.Minute, time.Hour, "", 10)
	require.NoError(t, err)
	_, err = f.store.OpenJobs(t.Context(), noon, "", 10)
	require.NoError(t, err)
	_, err = f.store.Counts(t.Context())
	require.NoError(t, err)
	_, err = f.store.Now(t.Context())
	require.NoError(t, err)
}

// foreignDue is due_jobs as somebody would write it who trusts the planner.
const foreignDue = `SELECT CAST(id AS text) AS job, '' AS run, '' AS task, '' AS stage, status, attempt, '' AS version,
	CAST(NULL AS float8) AS created_at, CAST(NULL AS float8) AS started_at, CAST(NULL AS float8) AS run_started_at,
	CAST(NULL AS float8) AS finished_at, 0 AS exit_code, 0 AS pid
FROM jobs WHERE status = 'running' AND :after = '' AND started_at <= to_timestamp(CAST(:now AS float8) - :ceiling)
	AND :grace > CAST(0 AS float8) LIMIT :limit`

// TestAPlanIsKeptForAMinute: one that was made while the tables were known to be empty reads them whole for each job
// once they have grown.
func TestAPlanIsKeptForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &preparer{}
		p := &prepared{conn: conn}
		ask := func(query string) {
			st, err := p.get(kept(t.Context()), query)
			require.NoError(t, err)
			require.NotNil(t, st)
		}
		ask("a")
		time.Sleep(keepFor / 2)
		ask("a")
		ask("b")
		require.Equal(t, []string{"prepare a", "prepare b"}, conn.asked)
		time.Sleep(keepFor / 2)
		ask("a")
		ask("b")
		require.Equal(t, []string{"close a", "prepare a"}, conn.asked[2:])
	})
}

// preparer is a connection that remembers what it was asked for.
type preparer struct{ asked []string }

func (c *preparer) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	c.asked = append(c.asked, "prepare "+query)
	return &preparedBy{conn: c, query: query}, nil
}

type preparedBy struct {
	keptStatement
	conn  *preparer
	query string
}

func (s *preparedBy) Close() error {
	s.conn.asked = append(s.conn.asked, "close "+s.query)
	return nil
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
