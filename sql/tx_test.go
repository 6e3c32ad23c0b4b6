package sql

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// incident adds job 1914 with its finished run 2207.
func (f *fixture) incident(t testing.TB) {
	f.task(t)
	f.job(t, 1914, "'running'", f.at(-time.Hour), f.at(-30*time.Minute))
	f.run(t, 2207, 1914, f.at(-29*time.Minute), f.at(-6*time.Minute))
}

func (f *fixture) begin(t testing.TB) *Tx {
	tx, err := f.store.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tx.Rollback()) })
	return tx
}

func (f *fixture) jobState(t testing.TB) (status string, started, finished any) {
	require.NoError(t, f.db.QueryRow("SELECT status, started_at, finished_at FROM jobs WHERE id = 1914").Scan(&status, &started, &finished))
	return status, started, finished
}

func TestRequeueHandsTheJobBack(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.incident(t)
		tx := f.begin(t)
		j, err := tx.Lock(t.Context(), "1914")
		require.NoError(t, err)
		require.Equal(t, watchdog.RunID("2207"), j.Run)
		changed, err := tx.Requeue(t.Context(), noon, "1914", j.Version)
		require.NoError(t, err)
		require.True(t, changed)
		require.NoError(t, tx.Commit(t.Context()))

		status, started, finished := f.jobState(t)
		require.Equal(t, "queued", status)
		require.Nil(t, started)
		require.Nil(t, finished)
		again, err := f.store.Jobs(t.Context(), noon, []watchdog.JobID{"1914"})
		require.NoError(t, err)
		require.NotEqual(t, j.Version, again[0].Version)
	})
}

func TestFailClosesTheJob(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.incident(t)
		tx := f.begin(t)
		j, err := tx.Lock(t.Context(), "1914")
		require.NoError(t, err)
		changed, err := tx.Fail(t.Context(), noon, "1914", j.Version)
		require.NoError(t, err)
		require.True(t, changed)
		require.NoError(t, tx.Commit(t.Context()))
		status, started, finished := f.jobState(t)
		require.Equal(t, "failed", status)
		require.NotNil(t, started)
		if f.dialect == sqlite {
			require.Equal(t, "2026-03-14T12:00:00.000Z", finished)
		} else {
			require.WithinDuration(t, noon, finished.(time.Time), 0)
		}
	})
}

func TestRollbackLeavesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.incident(t)
		before := f.version(t)
		tx := f.begin(t)
		changed, err := tx.Requeue(t.Context(), noon, "1914", before)
		require.NoError(t, err)
		require.True(t, changed)
		require.NoError(t, tx.Rollback())
		require.Equal(t, before, f.version(t))
	})
}

func (f *fixture) version(t testing.TB) string {
	jobs, err := f.store.Jobs(t.Context(), noon, []watchdog.JobID{"1914"})
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	return jobs[0].Version
}

// Whatever the orchestrator does to a job between the judgement and the lock, the job is left alone.
func TestLostRaces(t *testing.T) {
	for name, change := range map[string]func(f *fixture) string{
		"finalized": func(f *fixture) string { return "UPDATE jobs SET status = 'done' WHERE id = 1914" },
		"requeued": func(f *fixture) string {
			return "UPDATE jobs SET status = 'queued', started_at = NULL WHERE id = 1914"
		},
		"claimed again": func(f *fixture) string { return "UPDATE jobs SET attempt = 2 WHERE id = 1914" },
		"claimed again without an attempt": func(f *fixture) string {
			return "UPDATE jobs SET started_at = " + f.at(-time.Minute) + " WHERE id = 1914"
		},
		"a new run": func(f *fixture) string {
			return "INSERT INTO agent_runs (id, job_id, started_at) VALUES (2208, 1914, " + f.at(0) + ")"
		},
		"a run about to start": func(f *fixture) string { return "INSERT INTO agent_runs (id, job_id) VALUES (2208, 1914)" },
		"finished anew": func(f *fixture) string {
			return "UPDATE agent_runs SET finished_at = " + f.at(0) + " WHERE id = 2207"
		},
		"gone": func(f *fixture) string {
			return "DELETE FROM agent_runs WHERE job_id = 1914; DELETE FROM jobs WHERE id = 1914"
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, f *fixture) {
				f.incident(t)
				judged := f.version(t)
				f.exec(t, change(f))
				for _, write := range []func(*Tx) (bool, error){
					func(tx *Tx) (bool, error) { return tx.Requeue(t.Context(), noon, "1914", judged) },
					func(tx *Tx) (bool, error) { return tx.Fail(t.Context(), noon, "1914", judged) },
				} {
					tx := f.begin(t)
					j, err := tx.Lock(t.Context(), "1914")
					if name == "gone" {
						require.ErrorIs(t, err, watchdog.ErrNoJob)
					} else {
						require.NoError(t, err)
						require.NotEqual(t, judged, j.Version)
					}
					changed, err := write(tx)
					require.NoError(t, err)
					require.False(t, changed)
					require.NoError(t, tx.Commit(t.Context()))
				}
			})
		})
	}
}

func TestRequeueTwiceIsALostRace(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.incident(t)
		judged := f.version(t)
		for _, want := range []bool{true, false} {
			tx := f.begin(t)
			changed, err := tx.Requeue(t.Context(), noon, "1914", judged)
			require.NoError(t, err)
			require.Equal(t, want, changed)
			require.NoError(t, tx.Commit(t.Context()))
		}
	})
}

func TestATransactionOutlivesTheContextItWasBegunWith(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.incident(t)
		ctx, cancel := context.WithCancel(t.Context())
		tx, err := f.store.Begin(ctx)
		require.NoError(t, err)
		judged := f.version(t)
		cancel()
		changed, err := tx.Requeue(t.Context(), noon, "1914", judged)
		require.NoError(t, err)
		require.True(t, changed)
		require.NoError(t, tx.Commit(t.Context()))
	})
}

func TestACancelledCallEndsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := f.store.Now(ctx)
		require.ErrorIs(t, err, ctx.Err())
		_, err = f.store.Begin(ctx)
		require.ErrorIs(t, err, ctx.Err())
	})
}
