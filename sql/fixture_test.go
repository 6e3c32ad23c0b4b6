package sql

import (
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(orchestratorFile); path != "" {
		os.Exit(claimJobs(path))
	}
	if !record() {
		// Each check is a dozen statements on SQLite under the race detector. The flag, if given, still counts.
		_ = flag.Set("rapid.checks", "40")
	}
	os.Exit(pg.Run(m))
}

const timeout = 5 * time.Second

// fixture is an orchestrator's database with its tables, and a store that reads it.
type fixture struct {
	dialect dialect
	config  Config
	store   *Store
	db      *sql.DB      // the orchestrator's own connections
	pg      *pg.Database // of postgres
}

// onBoth runs a test of the conformance suite on both databases.
func onBoth(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Run("postgres", func(t *testing.T) { t.Parallel(); test(t, onPostgres(t)) })
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, onSQLite(t)) })
}

func onPostgres(t testing.TB) *fixture {
	d := pg.New(t)
	f := &fixture{dialect: postgres, config: Config{URL: d.URL(), Timeout: timeout}, db: d.Open(t), pg: d}
	return f.fill(t)
}

func onSQLite(t testing.TB) *fixture {
	path := filepath.Join(t.TempDir(), "jobs.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	f := &fixture{dialect: sqlite, config: Config{URL: "sqlite:" + path, Timeout: timeout}, db: db}
	return f.fill(t)
}

func (f *fixture) fill(t testing.TB) *fixture {
	schema, err := Schema("orchestrator", string(f.dialect))
	require.NoError(t, err)
	f.exec(t, schema)
	f.store = f.open(t, f.config)
	return f
}

func (f *fixture) open(t testing.TB, cfg Config) *Store {
	store, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func (f *fixture) exec(t testing.TB, text string) {
	_, err := f.db.Exec(text)
	require.NoError(t, err, text)
}

// at spells an instant as a literal of the dialect: epoch is the tests' noon.
func (f *fixture) at(offset time.Duration) string {
	if f.dialect == postgres {
		return "'" + noon.Add(offset).Format(time.RFC3339Nano) + "'::timestamptz"
	}
	return "'" + noon.Add(offset).Format("2006-01-02 15:04:05.000") + "'"
}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// task adds the task of the incident.
func (f *fixture) task(t testing.TB) {
	f.exec(t, "INSERT INTO tasks (id, ref, title, stage) VALUES (111, 'ORCH-111', 'the incident', 'deploy-staging')")
}

// job adds a job of the task; times are SQL literals.
func (f *fixture) job(t testing.TB, id int64, status, created, started string) {
	f.exec(t, fmt.Sprintf("INSERT INTO jobs (id, task_id, status, attempt, created_at, started_at) VALUES (%d, 111, %s, 1, %s, %s)",
		id, status, created, started))
}

// run adds a run of a job.
func (f *fixture) run(t testing.TB, id, job int64, started, finished string) {
	f.exec(t, fmt.Sprintf("INSERT INTO agent_runs (id, job_id, pid, exit_code, started_at, finished_at) VALUES (%d, %d, 17, 0, %s, %s)",
		id, job, started, finished))
}
