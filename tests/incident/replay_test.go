package incident

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// TestTC08Incident replays job 1914: with the switch off the incident happens, with it on it does not.
func TestTC08Incident(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		t.Run("red", func(t *testing.T) {
			r := replay{Database: d, tree: filepath.Join(t.TempDir(), "tree")}
			w := program.Serve(t, program.For(t, d.URL).With(program.Settings{"REAPER_FINALIZER_LIVENESS_ENABLED": "false"}))
			first := r.begin(t, w, job)
			require.True(t, first.Check(t.Context()).Proceed(client.UnlessRevoked))
			r.merge(t, job)
			becomes(t, d, job, "queued 1")
			r.rerun(t, w, job)
			r.end(t, first, job)

			assert.Equal(t, "merged ORCH-1914", r.read(t))
			assert.Equal(t, "development", r.stage(t, job), "the false rollback")
			assert.Equal(t, "failed 2", d.Status(t, job))
		})
		t.Run("green", func(t *testing.T) {
			const again = job + 1
			r := replay{Database: d, tree: filepath.Join(t.TempDir(), "tree")}
			w := program.Serve(t, program.For(t, d.URL))
			first := r.begin(t, w, again)
			confirmed(t, first)
			r.merge(t, again)
			program.Eventually(t, "the reaper defers", func() bool { return w.Metric(t, `finalizer_defers_total{reason="held"}`) >= 3 })
			require.Equal(t, "running 1", d.Status(t, again))
			r.end(t, first, again)

			assert.Equal(t, "merged ORCH-1915", r.read(t))
			assert.Equal(t, "deploy", r.stage(t, again))
			assert.Equal(t, "done 1", d.Status(t, again))
			assert.Equal(t, "1", d.Text(t, fmt.Sprintf("SELECT count(*) FROM agent_runs WHERE job_id = %d", again)))
			assert.InDelta(t, 0, w.Metric(t, `reaper_reaped_total{reason="unfinalized",tier="2"}`), 0)
		})
	})
}

// replay is the orchestrator's part of the incident. The tree is one file: a merge writes its half, later the rest.
type replay struct {
	*program.Database
	tree string
}

// begin finalizes up to the check before the merge.
func (r replay) begin(t *testing.T, w *program.Watchdog, id int64) *client.Ownership {
	t.Helper()
	r.Finished(t, id, guarded)
	o, err := newClient(t, w.Socket).Mark(t.Context(), ofJob(id))
	require.NoError(t, err)
	return o
}

// merge merges the first half, and lets the grace pass.
func (r replay) merge(t *testing.T, id int64) {
	t.Helper()
	r.write(t, "half of ORCH-%d", id)
	r.Age(t, id, pastGrace)
}

// rerun claims the job again and finalizes it: the re-test looks at the tree.
func (r replay) rerun(t *testing.T, w *program.Watchdog, id int64) {
	t.Helper()
	now, run := r.Ago(0), program.FirstRun(id)+1000
	r.Exec(t,
		fmt.Sprintf("UPDATE jobs SET status = 'running', attempt = attempt + 1, started_at = %s WHERE id = %d AND status = 'queued'", now, id),
		fmt.Sprintf("INSERT INTO agent_runs (id, job_id, exit_code, started_at, finished_at) VALUES (%d, %d, 0, %s, %[3]s)", run, id, now))
	second := ofJob(id)
	second.Run = fmt.Sprint(run)
	o, err := newClient(t, w.Socket).Mark(t.Context(), second)
	require.NoError(t, err)
	defer o.Clear()
	if strings.HasPrefix(r.read(t), "half") {
		r.Exec(t,
			fmt.Sprintf("UPDATE tasks SET stage = 'development' WHERE id = %d", id),
			fmt.Sprintf("UPDATE jobs SET status = 'failed' WHERE id = %d", id))
	}
}

// end finishes the merge that was begun, and closes the job if it still is the finalizer's.
func (r replay) end(t *testing.T, o *client.Ownership, id int64) {
	t.Helper()
	r.write(t, "merged ORCH-%d", id)
	r.Exec(t,
		fmt.Sprintf("UPDATE tasks SET stage = 'deploy' WHERE id = %d AND stage = 'deploy-staging'", id),
		fmt.Sprintf("UPDATE jobs SET status = 'done' WHERE id = %d AND status = 'running' AND attempt = 1", id))
	o.Clear()
}

func (r replay) stage(t *testing.T, id int64) string {
	t.Helper()
	return r.Text(t, fmt.Sprintf("SELECT stage FROM tasks WHERE id = %d", id))
}

func (r replay) write(t *testing.T, format string, id int64) {
	t.Helper()
	require.NoError(t, os.WriteFile(r.tree, fmt.Appendf(nil, format, id), 0o600))
}

func (r replay) read(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(r.tree)
	require.NoError(t, err)
	return string(content)
}
