package kill

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// TestFootprint tells what a watchdog takes of the machine, idle and with many ownerships that all are in the
// database, and requires that it stays within bounds.
func TestFootprint(t *testing.T) {
	owned, idle, busy := 2_000, time.Second, time.Second
	if full() {
		owned, idle, busy = 100_000, 10*time.Second, time.Minute // what is owned is compared with the database once a minute
	}
	d := program.OnPostgres(t, pg.New(t))
	w := program.Serve(t, program.For(t, d.URL).With(program.Settings{"REAPER_INTERVAL": "5s"}))
	before := w.Resident(t)
	used := cpuOver(t, w.Process, idle)
	t.Logf("idle: %.1f MiB resident, %.2f %% of one CPU over %v", before, 100*used.Seconds()/idle.Seconds(), idle)
	assert.Less(t, used, idle/10)

	d.Exec(t,
		fmt.Sprintf(`INSERT INTO jobs (id, status, attempt, created_at, started_at)
			SELECT i, 'running', 1, %[2]s, %[2]s FROM generate_series(1, %[1]d) i`, owned, d.Ago(0)),
		`INSERT INTO agent_runs (id, job_id, exit_code, started_at, finished_at)
			SELECT id, id, 0, started_at, started_at FROM jobs`,
		`ANALYZE jobs, agent_runs`)
	markAll(t, w.Socket, owned)
	assert.InDelta(t, owned, w.Metric(t, "finalizer_owned"), 0)
	program.Eventually(t, "all are confirmed", func() bool { return cpuOver(t, w.Process, 500*time.Millisecond) < 50*time.Millisecond })
	with := w.Resident(t)
	used = cpuOver(t, w.Process, busy)
	t.Logf("%d ownerships in one session: %.1f MiB resident, %.0f bytes each, %.2f %% of one CPU over %v",
		owned, with, (with-before)*(1<<20)/float64(owned), 100*used.Seconds()/busy.Seconds(), busy)
	assert.InDelta(t, owned, w.Metric(t, "finalizer_owned"), 0, "none was lost meanwhile")
	assert.Less(t, with-before, 400.0)
}

// markAll marks the jobs from 1 to n in one session, which stays open, pipelined.
func markAll(t *testing.T, socket string, n int) {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		out := bufio.NewWriter(conn)
		for i := 1; i <= n; i++ {
			_, _ = fmt.Fprintf(out, "{\"op\":\"mark\",\"job\":%d,\"run\":%[1]d,\"stage\":\"deploy-staging\"}\n", i)
		}
		_ = out.Flush()
	}()
	replies := bufio.NewScanner(conn)
	for range n {
		require.True(t, replies.Scan(), "%v", replies.Err())
		var m program.Message
		require.NoError(t, json.Unmarshal(replies.Bytes(), &m))
		require.True(t, m.OK, replies.Text())
	}
}

// cpuOver is the CPU time that a process takes while nobody asks anything of it.
func cpuOver(t *testing.T, p *program.Process, span time.Duration) time.Duration {
	t.Helper()
	before := p.CPU(t)
	<-time.After(span)
	return p.CPU(t) - before
}
