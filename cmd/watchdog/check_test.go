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
func emptyDatabase(t *testing.T, text string) sql.Config {
	path := filepath.Join(t.TempDir(), "jobs.db")
	db, err := stdsql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)")
	require.NoError(t, err)
	_, err = db.Exec(text)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	return sql.Config{URL: "sqlite:" + path}
}

func TestCheckOfADatabaseThatFits(t *testing.T) {
	schema, err := sql.Schema("orchestrator", "sqlite")
	require.NoError(t, err)
	var out strings.Builder
	require.Equal(t, 0, checkDatabase(t.Context(), emptyDatabase(t, schema), &out), out.String())
	require.Regexp(t, `^database: SQLite 3\S+, journal mode wal
statements: due_jobs \(set orchestrator\), .*

nothing has to be changed
$`, out.String())
}

func TestCheckOfADatabaseThatDoesNot(t *testing.T) {
	var out strings.Builder
	require.Equal(t, 1, checkDatabase(t.Context(), emptyDatabase(t, "CREATE TABLE jobs (id INTEGER PRIMARY KEY, status TEXT)"), &out))
	require.Contains(t, out.String(), "\nfault in due_jobs: prepare: ")
	require.Contains(t, out.String(), "\n    the schema is not the one that these statements are for: bring your own in WATCHDOG_SQL_DIR\n")
	require.Contains(t, out.String(), "the watchdog cannot do its work like this")
}

func TestCheckShowsNoPassword(t *testing.T) {
	var out strings.Builder
	require.Equal(t, 1, checkDatabase(t.Context(), sql.Config{URL: "postgres://u:hunter2@127.0.0.1:1/db"}, &out))
	require.Contains(t, out.String(), "connection refused")
	require.NotContains(t, out.String(), "hunter2")
}
