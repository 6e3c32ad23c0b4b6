package kill

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
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
	before := resident(t, w.PID)
	used := cpuOver(t, w.PID, idle)
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
	program.Eventually(t, "all are confirmed", func() bool { return cpuOver(t, w.PID, 500*time.Millisecond) < 50*time.Millisecond })
	with := resident(t, w.PID)
	used = cpuOver(t, w.PID, busy)
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

// resident is a process's resident memory, in MiB.
func resident(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "VmRSS:")
	require.True(t, found)
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	require.NoError(t, err)
	return kib / 1024
}

// cpuOver is the CPU time that a process takes while nobody asks anything of it.
func cpuOver(t *testing.T, pid int, span time.Duration) time.Duration {
	t.Helper()
	before := cpu(t, pid)
	<-time.After(span)
	return cpu(t, pid) - before
}

// cpu is the CPU time that a process has taken, in the kernel's ticks of 10 ms.
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), ") ")
	require.True(t, found)
	fields := strings.Fields(rest)
	ticks := 0
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		require.NoError(t, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
