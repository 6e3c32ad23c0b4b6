package sql

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// planned is a node of the plan of a statement that was run.
type planned struct {
	Type      string    `json:"Node Type"`
	Relation  string    `json:"Relation Name"`
	Index     string    `json:"Index Name"`
	Loops     int       `json:"Actual Loops"`
	Rows      int       `json:"Actual Rows"` // of a loop, as those that follow
	Filtered  int       `json:"Rows Removed by Filter"`
	Rechecked int       `json:"Rows Removed by Index Recheck"`
	Plans     []planned `json:"Plans"`
}

// read is how many rows and entries of indexes were looked at, and how often none was found.
func (n planned) read() (total int) {
	if n.Relation+n.Index != "" {
		total = n.Loops * max(1, n.Rows+n.Filtered+n.Rechecked)
	}
	for _, below := range n.Plans {
		total += below.read()
	}
	return total
}

// reads runs a statement as a prepared one, planned once for all values or each time, and gives how much it read.
func (f *fixture) reads(t testing.TB, name, mode string, values map[string]any) (int, string) {
	conn, err := f.db.Conn(t.Context())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	st := f.store.statements[name]
	var literals []string
	for _, value := range st.args(values) {
		literals = append(literals, fmt.Sprintf("'%v'", value))
	}
	_, err = conn.ExecContext(t.Context(), "SET plan_cache_mode = "+mode+"; SET jit = off; DEALLOCATE ALL; PREPARE it AS "+st.query)
	require.NoError(t, err)
	var text string
	require.NoError(t, conn.QueryRowContext(t.Context(),
		"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE it ("+strings.Join(literals, ", ")+")").Scan(&text))
	var plans []struct{ Plan planned }
	require.NoError(t, json.Unmarshal([]byte(text), &plans))
	return plans[0].Plan.read(), text
}

// TestNoMoreIsReadThanMayBeDue: whatever the planner believes of the tables, a pass reads nothing of the history and
// no running job that is not due, or just those where they are fewer than the runs that have finished lately; a page
// reads the open jobs' index and what is on it; and a job without a run is not sought for among all runs.
func TestNoMoreIsReadThanMayBeDue(t *testing.T) {
	const history, running = 3000, 2000
	const open = 2*running + 400           // each in the index and in the table, and the runs of a page
	const whole = history + running + 1000 // of a table of which nothing is known, much of which may be open
	f := onPostgres(t)
	f.exec(t, "ALTER TABLE jobs SET (autovacuum_enabled = off); ALTER TABLE agent_runs SET (autovacuum_enabled = off)")
	add := func(first, n int, status, began, finished string) {
		ago := func(minutes string) string {
			return fmt.Sprintf("to_timestamp(%d) - interval '1 minute' * (%s)", noon.Unix(), minutes)
		}
		f.exec(t, fmt.Sprintf("INSERT INTO jobs (id, status, started_at) SELECT n, '%s', %s FROM generate_series(%d, %d) n",
			status, ago(began), first, first+n-1))
		f.exec(t, fmt.Sprintf("INSERT INTO agent_runs (job_id, started_at, finished_at) SELECT n, %s, %s FROM generate_series(%d, %d) n",
			ago(began), ago(finished), first, first+n-1))
	}
	add(1, history, "done", "n + 3", "n + 2") // of which 118 have finished since the ceiling
	check := func(state string, due, page int) {
		for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
			for name, most := range map[string]int{"due_jobs": due, "open_jobs": page, "jobs": 10, "lock": 10} {
				limit := map[string]int{"due_jobs": 1000, "open_jobs": 20}[name]
				read, plan := f.reads(t, name, mode, map[string]any{"now": seconds(noon), "grace": 120, "ceiling": 7200,
					"after": "", "limit": limit, "jobs": `["9000"]`, "job": "9000"})
				require.LessOrEqual(t, read, most, "%s, %s, %s: %s", name, state, mode, plan)
			}
		}
	}
	add(history+1, running, "running", "10", "NULL")
	f.exec(t, "INSERT INTO jobs (id, status) VALUES (9000, 'running')")
	grow := func() {
		f.exec(t, "UPDATE pg_class SET reltuples = 10000000 WHERE oid IN ('jobs'::regclass, 'agent_runs'::regclass);"+
			"UPDATE pg_class SET reltuples = 100000 WHERE oid = 'jobs_open'::regclass")
	}
	check("never analyzed", running/2, whole)
	grow()
	check("never analyzed, as if of ten million jobs", running/2, whole)
	f.exec(t, "ANALYZE")
	check("analyzed", running/2, open)
	grow()
	check("analyzed, as if of ten million jobs", running/2, open)
	f.exec(t, "UPDATE jobs SET status = 'done' WHERE status = 'running' AND id > 3010 AND id < 9000")
	check("with few running", 200, 200)
	f.exec(t, "ANALYZE")
	check("with few running, analyzed", 200, 200)
	add(10_000, running, "running", "10", "NULL")
	check("analyzed before they were running", running/2, open)
	f.exec(t, "ALTER TABLE agent_runs ALTER job_id SET (n_distinct = 20)")
	f.exec(t, "ANALYZE")
	check("as if of jobs with many runs", running/2, open)
}
