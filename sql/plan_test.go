package sql

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// record is whether the proof is made for the record, on a million rows.
func record() bool { return os.Getenv("WATCHDOG_TEST_ALL") != "" }

// planRows is how large the tables of the plan's proof are: else so large that PostgreSQL's planner, which
// counts, finds an index worth while. SQLite's does not count.
func (f *fixture) planRows() int {
	switch {
	case record():
		return 1_000_000
	case f.dialect == postgres:
		return 20_000
	}
	return 6_000
}

// history fills the tables with n done jobs, one a minute, n/200 running ones of the last minute, and 100 that
// finished an hour ago and are due.
func (f *fixture) history(t testing.TB, n int) {
	f.task(t)
	series := "generate_series(1, %d) AS n(n)"
	ago := func(seconds string) string {
		return "to_timestamp(" + fmt.Sprint(noon.Unix()) + " - " + seconds + ")"
	}
	if f.dialect == sqlite {
		series = "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %d) SELECT n FROM s) n"
		ago = func(seconds string) string {
			return "strftime('%Y-%m-%dT%H:%M:%fZ', " + fmt.Sprint(noon.Unix()) + " - " + seconds + ", 'unixepoch')"
		}
	}
	f.exec(t, fmt.Sprintf("INSERT INTO jobs (id, task_id, status, attempt, created_at, started_at, finished_at) SELECT n.n, 111, 'done', 1, %s, %s, %s FROM "+series,
		ago("(60 * n.n + 60)"), ago("(60 * n.n + 50)"), ago("(60 * n.n)"), n))
	f.exec(t, fmt.Sprintf("INSERT INTO agent_runs (job_id, pid, started_at, finished_at) SELECT n.n, 17, %s, %s FROM "+series,
		ago("(60 * n.n + 40)"), ago("(60 * n.n + 20)"), n))
	f.exec(t, fmt.Sprintf("INSERT INTO jobs (id, task_id, status, attempt, created_at, started_at) SELECT %d + n.n, 111, 'running', 1, %s, %s FROM "+series,
		n, ago("60"), ago("60"), n/200))
	f.exec(t, fmt.Sprintf("INSERT INTO jobs (id, task_id, status, attempt, created_at, started_at) SELECT %d + n.n, 111, 'running', 1, %s, %s FROM "+series,
		n+n/200, ago("6000"), ago("6000"), 100))
	f.exec(t, fmt.Sprintf("INSERT INTO agent_runs (job_id, pid, started_at, finished_at) SELECT %d + n.n, 17, %s, %s FROM "+series,
		n+n/200, ago("5900"), ago("3600"), 100))
	f.exec(t, "ANALYZE")
}

// plan is how the database would run a statement.
func (f *fixture) plan(t testing.TB, name string) string {
	values := map[string]any{"now": seconds(noon), "grace": 120.0, "ceiling": 7200.0, "after": "", "limit": int64(1000),
		"jobs": `["17"]`, "job": "17", "version": "v"}
	st := f.store.statements[name]
	explain := "EXPLAIN ANALYZE "
	if f.dialect == sqlite {
		explain = "EXPLAIN QUERY PLAN "
	}
	rows, err := f.store.db.Queryx(explain+st.query, st.args(values)...)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	var lines []string
	for rows.Next() {
		values, err := rows.SliceScan()
		require.NoError(t, err)
		lines = append(lines, fmt.Sprint(values[len(values)-1]))
	}
	require.NoError(t, rows.Err())
	return strings.Join(lines, "\n")
}

func TestPlansUseTheIndexes(t *testing.T) {
	uses := map[string][]string{
		"due_jobs":  {"jobs_open", "agent_runs_job_id"}, // and on PostgreSQL agent_runs_finished_at
		"open_jobs": {"jobs_open", "agent_runs_job_id"},
		"counts":    {"jobs_open"},
		"jobs":      {"agent_runs_job_id"},
		"lock":      {"agent_runs_job_id"},
		"requeue":   {"agent_runs_job_id"},
		"fail":      {"agent_runs_job_id"},
	}
	onBoth(t, func(t *testing.T, f *fixture) {
		n := f.planRows()
		f.history(t, n)
		for name, indexes := range uses {
			plan := f.plan(t, name)
			if name == "due_jobs" && f.dialect == postgres {
				require.Contains(t, plan, "agent_runs_finished_at")
			}
			for _, index := range indexes {
				require.Contains(t, plan, index, name)
			}
			for _, table := range []string{"jobs", "agent_runs"} {
				require.NotContains(t, plan, "Seq Scan on "+table, name)
				require.NotRegexp(t, `SCAN `+table+`($|\n)`, plan, name)
			}
		}
		started := time.Now()
		due, err := f.store.Due(t.Context(), noon, 2*time.Minute, 2*time.Hour, "", 1000)
		require.NoError(t, err)
		require.Len(t, due, 100)
		t.Logf("a pass over %d jobs took %s", n, time.Since(started))
		require.Equal(t, watchdog.JobID(fmt.Sprint(n+n/200+1)), due[0].ID)
	})
}
