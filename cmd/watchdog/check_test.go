package main

import (
	stdsql "database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/sql"
)

// emptyDatabase is a SQLite file in WAL mode with what a text creates.
func emptyDatabase(t *testing.T, text string) Config {
	path := filepath.Join(t.TempDir(), "jobs.db")
	db, err := stdsql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)")
	require.NoError(t, err)
	_, err = db.Exec(text)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	url := secretURL("sqlite:" + path)
	return Config{DatabaseURL: url, DatabaseDirectURL: url}
}

func TestCheckOfADatabaseThatFits(t *testing.T) {
	schema, err := sql.Schema("orchestrator", "sqlite")
	require.NoError(t, err)
	var out strings.Builder
	config := emptyDatabase(t, schema)
	require.Equal(t, 0, checkDatabase(t.Context(), config, &out), out.String())
	require.Regexp(t, `^url: sqlite:/\S+
database: SQLite 3\S+, journal mode wal
statements: due_jobs \(set orchestrator\), .*
lock: free, by sqlite:/\S+

nothing has to be changed
$`, out.String())

	running, err := sql.NewExclusive(config.database(config.DatabaseURL))
	require.NoError(t, err)
	require.NoError(t, running.Hold(t.Context()))
	defer running.Close()
	out.Reset()
	require.Equal(t, 0, checkDatabase(t.Context(), config, &out), out.String())
	require.Contains(t, out.String(), "\nlock: another watchdog has it, by sqlite:/")
}

func TestCheckOfADatabaseThatDoesNot(t *testing.T) {
	var out strings.Builder
	require.Equal(t, 1, checkDatabase(t.Context(), emptyDatabase(t, "CREATE TABLE jobs (id INTEGER PRIMARY KEY, status TEXT)"), &out))
	require.Contains(t, out.String(), "\nfault in due_jobs: prepare: ")
	require.Contains(t, out.String(), "\n    the schema is not the one that these statements are for: bring your own in WATCHDOG_SQL_DIR\n")
	require.Contains(t, out.String(), "the watchdog cannot do its work like this")
}

// Without its indexes a database does, and the watchdog with it, while its tables are small.
func TestCheckOfADatabaseWithoutIndexes(t *testing.T) {
	schema, err := sql.Schema("orchestrator", "sqlite")
	require.NoError(t, err)
	var out strings.Builder
	require.Equal(t, 1, checkDatabase(t.Context(), emptyDatabase(t, schema+"DROP INDEX jobs_open;"), &out))
	require.Contains(t, out.String(), "\nslow: there is no index on jobs (status, started_at): a pass gets slower as the table grows\n    CREATE INDEX ")
	require.Contains(t, out.String(), "\nthe watchdog can do its work like this, slower than it should\n")
}

func TestCheckTriesTheDirectURL(t *testing.T) {
	schema, err := sql.Schema("orchestrator", "sqlite")
	require.NoError(t, err)
	config := emptyDatabase(t, schema)
	config.DatabaseDirectURL = "postgres://u:hunter2@127.0.0.1:1/db"
	var out strings.Builder
	require.Equal(t, 1, checkDatabase(t.Context(), config, &out))
	require.Contains(t, out.String(), "\nfault: the lock cannot be had by postgres://u@127.0.0.1:1/db: hold the database: dial tcp")
	require.NotContains(t, out.String(), "hunter2")
}

func TestCheckShowsNoPassword(t *testing.T) {
	var out strings.Builder
	const url = "postgres://u:hunter2@127.0.0.1:1/db"
	require.Equal(t, 1, checkDatabase(t.Context(), Config{DatabaseURL: url, DatabaseDirectURL: url}, &out))
	require.Contains(t, out.String(), "url: postgres://u@127.0.0.1:1/db\n")
	require.Contains(t, out.String(), "connection refused")
	require.NotContains(t, out.String(), "hunter2")
}
