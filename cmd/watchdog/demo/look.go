package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// What the conductor reads in the database.

// jobRow is a job with its task.
type jobRow struct {
	id      int64
	status  string
	attempt int64
	task    string
	stage   string
	runs    int // of all its claims
}

func (l *ledger) job(ctx context.Context, id int64) (jobRow, error) {
	j := jobRow{id: id}
	err := l.db.QueryRowContext(ctx, `SELECT j.status, j.attempt, t.ref, t.stage,
			(SELECT count(*) FROM agent_runs r WHERE r.job_id = j.id)
		FROM jobs j JOIN tasks t ON t.id = j.task_id WHERE j.id = ?`, id).
		Scan(&j.status, &j.attempt, &j.task, &j.stage, &j.runs)
	if err != nil {
		return j, fmt.Errorf("read job %d: %w", id, err)
	}
	return j, nil
}

// entry is a row of notes.
type entry struct {
	id     int64
	run    int64
	who    string
	detail string
}

// newest is the id of the last note; 0 when there is none.
func (l *ledger) newest(ctx context.Context) (id int64, err error) {
	if err := l.db.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM notes`).Scan(&id); err != nil {
		return 0, fmt.Errorf("read notes: %w", err)
	}
	return id, nil
}

// noted is the first note of an event of the job after the given one.
func (l *ledger) noted(ctx context.Context, job int64, what event, after int64) (e entry, found bool, err error) {
	err = l.db.QueryRowContext(ctx, `SELECT id, run_id, who, detail FROM notes
		WHERE job_id = ? AND what = ? AND id > ? ORDER BY id LIMIT 1`, job, what, after).
		Scan(&e.id, &e.run, &e.who, &e.detail)
	if errors.Is(err, sql.ErrNoRows) {
		return e, false, nil
	}
	if err != nil {
		return e, false, fmt.Errorf("read notes: %w", err)
	}
	return e, true, nil
}

// times counts the notes of an event of the job after the given one.
func (l *ledger) times(ctx context.Context, job int64, what event, after int64) (n int, err error) {
	err = l.db.QueryRowContext(ctx, `SELECT count(*) FROM notes WHERE job_id = ? AND what = ? AND id > ?`,
		job, what, after).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("read notes: %w", err)
	}
	return n, nil
}

// exitCode is the run's, as stamped.
func (l *ledger) exitCode(ctx context.Context, run int64) (code int, err error) {
	err = l.db.QueryRowContext(ctx, `SELECT exit_code FROM agent_runs WHERE id = ? AND finished_at IS NOT NULL`, run).Scan(&code)
	if err != nil {
		return 0, fmt.Errorf("read run %d: %w", run, err)
	}
	return code, nil
}

// give adds a task at the stage with a job for it; with id 0 the job gets the next one.
func (l *ledger) give(ctx context.Context, task, title, stage string, id int64) error {
	err := l.within(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO tasks (ref, title, stage, updated_at) VALUES (?, ?, ?, ?)`,
			task, title, stage, stamp())
		if err != nil {
			return err
		}
		taskID, err := result.LastInsertId()
		if err != nil {
			return err
		}
		return enqueue(ctx, tx, id, taskID)
	})
	if err != nil {
		return fmt.Errorf("add task %s: %w", task, err)
	}
	return nil
}

// again puts a job and its task back to where they were before it was first claimed. Its runs stay, as history.
func (l *ledger) again(ctx context.Context, id int64, stage string) error {
	err := l.within(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE tasks SET stage = ?, updated_at = ? WHERE id = (SELECT task_id FROM jobs WHERE id = ?)`,
			stage, stamp(), id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE jobs SET status = 'queued', attempt = 0, created_at = ?, started_at = NULL,
			finished_at = NULL WHERE id = ?`, stamp(), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("put job %d back: %w", id, err)
	}
	return nil
}

// busy reports whether any job is waiting or running.
func (l *ledger) busy(ctx context.Context) (busy bool, err error) {
	err = l.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM jobs WHERE status IN ('queued', 'running'))`).Scan(&busy)
	if err != nil {
		return false, fmt.Errorf("read jobs: %w", err)
	}
	return busy, nil
}
