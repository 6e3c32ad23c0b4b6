package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// work is one job that an orchestrator has claimed.
type work struct {
	job, run, taskID int64
	task, stage      string
	attempt          int64
	claimed          string // the instant of the claim: with it a row is this claim's and no later one's
	worked           bool   // the agent's work was done under an earlier claim
}

// claim takes the next queued job and starts a run of it; sql.ErrNoRows when nothing is queued.
//
// A job that is claimed again after its agent has ended was requeued by the watchdog, or left by an orchestrator
// that died: its agent's work is done and is only to be finalized. It gets a run of its own all the same, with
// the exit code of the one that worked, over as soon as it started: the watchdog counts only runs that started no
// earlier than the claim, and without one it would take the agent to be about to start.
func (l *ledger) claim(ctx context.Context, pid int) (w work, err error) {
	w.claimed = stamp()
	err = l.within(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `UPDATE jobs SET status = 'running', started_at = ?, attempt = attempt + 1
			WHERE id = (SELECT id FROM jobs WHERE status = 'queued' ORDER BY id LIMIT 1)
			RETURNING id, task_id, attempt`, w.claimed).Scan(&w.job, &w.taskID, &w.attempt)
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `SELECT ref, stage FROM tasks WHERE id = ?`, w.taskID).Scan(&w.task, &w.stage)
		if err != nil {
			return err
		}
		var exit, finished any
		if w.attempt > 1 {
			err := tx.QueryRowContext(ctx, `SELECT exit_code FROM agent_runs WHERE job_id = ? AND finished_at IS NOT NULL
				ORDER BY id DESC LIMIT 1`, w.job).Scan(&exit)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			w.worked = err == nil
		}
		if w.worked {
			finished = w.claimed
		}
		return tx.QueryRowContext(ctx, `INSERT INTO agent_runs (job_id, pid, exit_code, started_at, finished_at)
			VALUES (?, ?, ?, ?, ?) RETURNING id`, w.job, pid, exit, w.claimed, finished).Scan(&w.run)
	})
	return w, err
}

// finished stamps the end of the agent's run. It is the first thing that happens after it: whatever is left is
// finalization.
func (l *ledger) finished(ctx context.Context, w work, exit int) error {
	_, err := l.db.ExecContext(ctx, `UPDATE agent_runs SET exit_code = ?, finished_at = ? WHERE id = ?`, exit, stamp(), w.run)
	if err != nil {
		return fmt.Errorf("stamp run: %w", err)
	}
	return nil
}

// settle ends the job and moves its task, if both still are where this claim has left them. moved is false
// when the task was moved by another meanwhile. A task that is not at its last stage yet gets its next job.
func (l *ledger) settle(ctx context.Context, w work, status, stage string) (moved bool, err error) {
	err = l.within(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE tasks SET stage = ?, updated_at = ? WHERE id = ? AND stage = ?`,
			stage, stamp(), w.taskID, w.stage)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		moved = n == 1
		_, err = tx.ExecContext(ctx, `UPDATE jobs SET status = ?, finished_at = ? WHERE id = ? AND status = 'running'
			AND started_at = ?`, status, stamp(), w.job, w.claimed)
		if err != nil || !moved || status != "done" || stage == lastStage {
			return err
		}
		return enqueue(ctx, tx, 0, w.taskID)
	})
	if err != nil {
		return false, fmt.Errorf("settle job %d: %w", w.job, err)
	}
	return moved, nil
}

// enqueue adds a job for the task; with id 0 it gets the next one.
func enqueue(ctx context.Context, tx *sql.Tx, id, task int64) error {
	var want any
	if id != 0 {
		want = id
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO jobs (id, task_id, status, attempt, created_at) VALUES (?, ?, 'queued', 0, ?)`,
		want, task, stamp())
	return err
}

// note writes down what the finalizer of w does.
func (l *ledger) note(ctx context.Context, w work, who string, what event, detail string) error {
	_, err := l.db.ExecContext(ctx, `INSERT INTO notes (at, job_id, run_id, who, what, detail) VALUES (?, ?, ?, ?, ?, ?)`,
		stamp(), w.job, w.run, who, what, detail)
	if err != nil {
		return fmt.Errorf("write note: %w", err)
	}
	return nil
}
