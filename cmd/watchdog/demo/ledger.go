package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // the driver of the demo's database

	watchsql "github.com/finalizer-watchdog/watchdog/sql"
)

// ledger is the orchestrator's database: the tables that the watchdog knows, and one of its own in which the
// orchestrators write down what they do.
type ledger struct{ db *sql.DB }

const notesTable = `
CREATE TABLE notes (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    job_id INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL
);`

// createLedger makes the database, in WAL mode, with a little history.
func createLedger(ctx context.Context, path string) (*ledger, error) {
	schema, err := watchsql.Schema("orchestrator", "sqlite")
	if err != nil {
		return nil, err
	}
	l, err := openLedger(path, "rwc")
	if err != nil {
		return nil, err
	}
	if _, err := l.db.ExecContext(ctx, "PRAGMA journal_mode = wal;"+schema+notesTable+history); err != nil {
		return nil, errors.Join(fmt.Errorf("create database: %w", err), l.close())
	}
	return l, nil
}

// history is what was before: the job before 1914, so that 1914's run has the number that it had in the incident.
const history = `
INSERT INTO tasks (id, ref, title, stage, updated_at)
    VALUES (110, 'ORCH-110', 'before the incident', 'deploy', '2026-01-01T00:00:00Z');
INSERT INTO jobs (id, task_id, status, attempt, created_at, started_at, finished_at)
    VALUES (1913, 110, 'done', 1, '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', '2026-01-01T00:30:00Z');
INSERT INTO agent_runs (id, job_id, pid, exit_code, started_at, finished_at)
    VALUES (2206, 1913, NULL, 0, '2026-01-01T00:00:00Z', '2026-01-01T00:10:00Z');`

// openLedger opens the database in one of SQLite's modes: rw, or rwc to create it.
func openLedger(path, mode string) (*ledger, error) {
	file := url.URL{Path: path}
	query := url.Values{"mode": {mode}, "_txlock": {"immediate"}, "_pragma": {"busy_timeout(5000)"}}
	db, err := sql.Open("sqlite", "file:"+file.EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return &ledger{db: db}, nil
}

func (l *ledger) close() error { return l.db.Close() }

// within runs what it is given in one transaction.
func (l *ledger) within(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// stamp is the instant as the database keeps it.
func stamp() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }
