package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// running adds jobs from the id on whose run finished so long ago, all of a guarded stage. Job and run have one id.
func running(t *testing.T, d *program.Database, first, n int, finished time.Duration) {
	t.Helper()
	added(t, d, first, n, "'running'", d.Ago(finished+time.Minute), d.Ago(finished))
}

// added adds jobs and a run of each.
func added(t *testing.T, d *program.Database, first, n int, status, began, finished string) {
	t.Helper()
	if n == 0 {
		return
	}
	d.Exec(t, "INSERT INTO tasks (id, ref, stage) VALUES (1, 'ORCH-111', 'deploy-staging') ON CONFLICT DO NOTHING",
		fmt.Sprintf(`INSERT INTO jobs (id, task_id, status, attempt, created_at, started_at)
			SELECT n, 1, %s, 1, %s, %[2]s FROM generate_series(%d, %d) n`, status, began, first, first+n-1),
		fmt.Sprintf(`INSERT INTO agent_runs (id, job_id, pid, exit_code, started_at, finished_at)
			SELECT n, n, 17, 0, %s, %s FROM generate_series(%d, %d) n`, began, finished, first, first+n-1))
}
