package faults

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// rows are the orchestrator's tables, as a finalizer uses them.
type rows struct {
	db       *sql.DB
	postgres bool
	clock    string // the file that says by how much the host's clock is ahead
}

func openRows(url, clock string) (*rows, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(10000)")
		return &rows{db: db, clock: clock}, err
	}
	db, err := sql.Open("postgres", url)
	return &rows{db: db, postgres: true, clock: clock}, err
}

// now is the host's instant, as the tables keep one.
func (r *rows) now() string {
	text, _ := os.ReadFile(r.clock) // there is none where the clock is not set
	ahead, _ := strconv.Atoi(string(text))
	at := float64(time.Now().Add(time.Duration(ahead)*time.Second).UnixMicro()) / 1e6
	if r.postgres {
		return fmt.Sprintf("to_timestamp(%f)", at)
	}
	return fmt.Sprintf("%f", at)
}

// claim takes the next job of the queue, whose agent has done its work as soon as it begins. It is 0 when there is
// none.
func (r *rows) claim(ctx context.Context) (job, run, attempt int64, err error) {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, 0, 0, err
	}
	defer func() { _ = tx.Rollback() }()
	locked := ""
	if r.postgres {
		locked = "FOR UPDATE SKIP LOCKED"
	}
	now := r.now()
	err = tx.QueryRowContext(ctx, fmt.Sprintf(`UPDATE jobs SET status = 'running', attempt = attempt + 1, started_at = %s
		WHERE id = (SELECT id FROM jobs WHERE status = 'queued' ORDER BY id LIMIT 1 %s) RETURNING id, attempt`, now, locked)).Scan(&job, &attempt)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, 0, nil
	}
	if err != nil {
		return 0, 0, 0, err
	}
	err = tx.QueryRowContext(ctx, fmt.Sprintf(`INSERT INTO agent_runs (job_id, exit_code, started_at, finished_at)
		VALUES (%d, 0, %s, %[2]s) RETURNING id`, job, now)).Scan(&run)
	if err != nil {
		return 0, 0, 0, err
	}
	return job, run, attempt, tx.Commit()
}

// mine reports whether the job is as it was claimed.
func (r *rows) mine(ctx context.Context, job, attempt int64) (bool, error) {
	n := 0
	err := r.db.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM jobs WHERE id = %d AND attempt = %d AND status = 'running'", job, attempt)).Scan(&n)
	return n == 1, err
}

// finish closes the job if it is as it was claimed, and reports whether it was. After an error that is not known.
func (r *rows) finish(ctx context.Context, job, attempt int64) (bool, error) {
	result, err := r.db.ExecContext(ctx, fmt.Sprintf("UPDATE jobs SET status = 'done', finished_at = %s WHERE id = %d AND attempt = %d AND status = 'running'",
		r.now(), job, attempt))
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// finished reports whether the job was closed under the attempt.
func (r *rows) finished(ctx context.Context, job, attempt int64) (bool, error) {
	n := 0
	err := r.db.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM jobs WHERE id = %d AND attempt = %d AND status = 'done'", job, attempt)).Scan(&n)
	return n == 1, err
}
