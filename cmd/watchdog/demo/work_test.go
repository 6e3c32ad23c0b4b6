package demo

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newLedger(t *testing.T) *ledger {
	t.Helper()
	l, err := createLedger(t.Context(), filepath.Join(t.TempDir(), "orchestrator.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.close()) })
	return l
}

func claims(t *testing.T, l *ledger) work {
	t.Helper()
	w, err := l.claim(t.Context(), 42)
	require.NoError(t, err)
	return w
}

// requeue is what the watchdog does.
func requeue(t *testing.T, l *ledger) {
	t.Helper()
	_, err := l.db.Exec(`UPDATE jobs SET status = 'queued', started_at = NULL WHERE status = 'running'`)
	require.NoError(t, err)
}

func TestTheDatabaseIsInWALMode(t *testing.T) {
	mode := ""
	require.NoError(t, newLedger(t).db.QueryRow("PRAGMA journal_mode").Scan(&mode))
	assert.Equal(t, "wal", mode)
}

func TestAClaimRunsTheAgentOnce(t *testing.T) {
	l := newLedger(t)
	_, err := l.claim(t.Context(), 42)
	require.ErrorIs(t, err, sql.ErrNoRows)

	require.NoError(t, l.give(t.Context(), "ORCH-111", "", heavyStage, 1914))
	first := claims(t, l)
	assert.Equal(t, work{job: 1914, run: 2207, taskID: first.taskID, task: "ORCH-111", stage: heavyStage, attempt: 1,
		claimed: first.claimed}, first)

	requeue(t, l)
	second := claims(t, l)
	assert.False(t, second.worked, "its agent had not ended")
	require.NoError(t, l.finished(t.Context(), second, 3))

	requeue(t, l)
	third := claims(t, l)
	assert.True(t, third.worked)
	assert.Equal(t, int64(2209), third.run, "a run of its own")
	code, err := l.exitCode(t.Context(), third.run)
	require.NoError(t, err)
	assert.Equal(t, 3, code, "with the exit code of the one that worked")
}

func TestSettleMovesOnAndGivesTheNextJob(t *testing.T) {
	l := newLedger(t)
	require.NoError(t, l.give(t.Context(), "ORCH-114", "", firstStage, 0))
	for _, stage := range []string{"review", heavyStage, lastStage} {
		w := claims(t, l)
		moved, err := l.settle(t.Context(), w, "done", next(w.stage))
		require.NoError(t, err)
		assert.True(t, moved)
		j, err := l.job(t.Context(), w.job)
		require.NoError(t, err)
		assert.Equal(t, []any{"done", stage}, []any{j.status, j.stage})
	}
	busy, err := l.busy(t.Context())
	require.NoError(t, err)
	assert.False(t, busy, "the last stage has no job")
}

// A finalizer that lost its job must not undo what its successor did.
func TestSettleLeavesAnothersWorkAlone(t *testing.T) {
	l := newLedger(t)
	require.NoError(t, l.give(t.Context(), "ORCH-111", "", heavyStage, 1914))
	first := claims(t, l)
	requeue(t, l)
	second := claims(t, l)
	moved, err := l.settle(t.Context(), second, "failed", firstStage)
	require.NoError(t, err)
	require.True(t, moved)

	moved, err = l.settle(t.Context(), first, "done", lastStage)
	require.NoError(t, err)
	assert.False(t, moved)
	j, err := l.job(t.Context(), 1914)
	require.NoError(t, err)
	assert.Equal(t, []any{"failed", firstStage}, []any{j.status, j.stage})
}

func TestAgainKeepsTheRuns(t *testing.T) {
	l := newLedger(t)
	require.NoError(t, l.give(t.Context(), "ORCH-111", "", heavyStage, 1914))
	first := claims(t, l)
	require.NoError(t, l.finished(t.Context(), first, 0))
	_, err := l.settle(t.Context(), first, "failed", firstStage)
	require.NoError(t, err)
	require.NoError(t, l.again(t.Context(), 1914, heavyStage))
	w := claims(t, l)
	assert.Equal(t, int64(1), w.attempt)
	assert.Equal(t, first.run+1, w.run)
	assert.False(t, w.worked, "its agent works again")
}
