package program

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver of the SQLite databases

	watchsql "github.com/finalizer-watchdog/watchdog/sql"
	"github.com/finalizer-watchdog/watchdog/tests/pg"
)

// Database is an orchestrator's database, with the schema of the default set.
type Database struct {
	URL      string
	Postgres *pg.Database // nil on SQLite
	db       *sql.DB
}

// OnBoth runs a test on SQLite and on PostgreSQL, at the same time.
func OnBoth(t *testing.T, test func(t *testing.T, d *Database)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, OnSQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, OnPostgres(t, pg.New(t)))
	})
}

// OnSQLite makes a database file in WAL mode.
func OnSQLite(t testing.TB) *Database {
	t.Helper()
	return OnSQLiteIn(t, Folder(t))
}

// OnSQLiteIn is OnSQLite, in a folder that there is.
func OnSQLiteIn(t testing.TB, folder string) *Database {
	t.Helper()
	path := filepath.Join(folder, "orchestrator.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatalf("open a database: %v", err)
	}
	d := &Database{URL: "sqlite:" + path, db: db}
	t.Cleanup(func() { _ = db.Close() })
	d.create(t, "sqlite")
	return d
}

// OnPostgres puts the schema into an empty database.
func OnPostgres(t testing.TB, in *pg.Database) *Database {
	t.Helper()
	d := &Database{URL: in.URL() + "?sslmode=disable", Postgres: in, db: in.Open(t)}
	d.create(t, "postgres")
	return d
}

func (d *Database) create(t testing.TB, dialect string) {
	t.Helper()
	schema, err := watchsql.Schema("orchestrator", dialect)
	if err != nil {
		t.Fatalf("read the schema: %v", err)
	}
	d.Exec(t, schema)
}

// Exec runs statements in one transaction.
func (d *Database) Exec(t testing.TB, statements ...string) {
	t.Helper()
	tx, err := d.db.Begin()
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	for _, s := range statements {
		if _, err := tx.Exec(s); err != nil {
			_ = tx.Rollback()
			t.Fatalf("execute %s: %v", s, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

// Try runs one statement, which may fail.
func (d *Database) Try(statement string) error {
	_, err := d.db.Exec(statement)
	return err
}

// Count is the number that a query gives. The database may be away.
func (d *Database) Count(query string) (n int, err error) {
	err = d.db.QueryRow(query).Scan(&n)
	return n, err
}

// Text is the one value that a query gives, as text; empty for NULL.
func (d *Database) Text(t testing.TB, query string) string {
	t.Helper()
	var text sql.NullString
	if err := d.db.QueryRow(query).Scan(&text); err != nil {
		t.Fatalf("query %s: %v", query, err)
	}
	return text.String
}

// Ago is the instant so long ago, as the database keeps one.
func (d *Database) Ago(ago time.Duration) string {
	at := float64(time.Now().Add(-ago).UnixMicro()) / 1e6
	if d.Postgres != nil {
		return fmt.Sprintf("to_timestamp(%f)", at)
	}
	return fmt.Sprintf("%f", at)
}

// Finished adds a running job whose run, 2207 for job 1914 and so on, has just finished. Its task has the job's id.
func (d *Database) Finished(t testing.TB, job int64, stage string) {
	t.Helper()
	now := d.Ago(0)
	d.Exec(t,
		fmt.Sprintf("INSERT INTO tasks (id, ref, title, stage) VALUES (%d, 'ORCH-%d', 'a task', '%s')", job, job, stage),
		fmt.Sprintf("INSERT INTO jobs (id, task_id, status, attempt, created_at, started_at) VALUES (%d, %[1]d, 'running', 1, %s, %[2]s)", job, now),
		fmt.Sprintf("INSERT INTO agent_runs (id, job_id, exit_code, started_at, finished_at) VALUES (%d, %d, 0, %s, %[3]s)", FirstRun(job), job, now))
}

// FirstRun is the id of the first run of a job.
func FirstRun(job int64) int64 { return job + 2207 - 1914 }

// Age makes the job and its run that much older.
func (d *Database) Age(t testing.TB, job int64, age time.Duration) {
	t.Helper()
	at := d.Ago(age)
	d.Exec(t,
		fmt.Sprintf("UPDATE agent_runs SET started_at = %s, finished_at = %[1]s WHERE job_id = %d", at, job),
		fmt.Sprintf("UPDATE jobs SET started_at = %s, created_at = %[1]s WHERE id = %d", at, job))
}

// Status is the job's status and attempt, such as "running 1".
func (d *Database) Status(t testing.TB, job int64) string {
	t.Helper()
	return strings.TrimSpace(d.Text(t, fmt.Sprintf("SELECT status || ' ' || attempt FROM jobs WHERE id = %d", job)))
}
