package cli

import (
	"fmt"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// TestAdoption goes the four steps of docs/operations.md on one database, and restarts the watchdog between them as
// an upgrade does. The finalizer of the second step is still at work in the third.
func TestAdoption(t *testing.T) {
	t.Parallel()
	d := program.OnSQLite(t)
	s := program.For(t, d.URL).With(program.Settings{"HEARTBEAT_LEASE": "2s", "HEARTBEAT_WARMUP": "10s"})
	const wouldReap = `reaper_would_reap_total{reason="unfinalized",tier="2"}`
	const unmarked, elsewhere = job + 1, job + 2

	check := command(t, s["SOCKET"], "check")
	check.Env = append(check.Env, "WATCHDOG_DATABASE_URL="+d.URL)
	output, err := check.CombinedOutput()
	require.NoError(t, err, string(output))

	// Beside.
	dry := s.With(program.Settings{"REAPER_DRY_RUN": "true"})
	w := program.Serve(t, dry)
	d.Finished(t, unmarked, guarded)
	d.Age(t, unmarked, pastGrace)
	program.Eventually(t, "the dry run would reap", func() bool { return w.Metric(t, wouldReap) == 1 })
	assert.Contains(t, w.Output(), `"msg":"would reap"`)
	assert.Equal(t, "running 1", d.Status(t, unmarked))

	// Dry run with finalizers that mark.
	d.Finished(t, job, guarded)
	p := holding(t, w.Socket, "echo ready; exec sleep 300")
	d.Age(t, job, pastGrace)
	program.Eventually(t, "it defers", func() bool { return w.Metric(t, `finalizer_defers_total{reason="connected"}`) > 0 })
	_, stdout, _ := ran(t, w.Socket, "explain", "--url", w.URL, strconv.Itoa(job))
	assert.Contains(t, stdout, fmt.Sprintf("job %d: defer (tier 2, connected)", job))
	assert.Equal(t, 1.0, w.Metric(t, wouldReap))
	assert.Equal(t, 1.0, w.Metric(t, `finalizer_marks_total{result="granted"}`))

	// One stage. What nobody marked is reaped once the warm-up is over; the finalizer has come back before.
	w = again(t, w, s)
	program.Eventually(t, "the finalizer is back", func() bool { return w.Metric(t, `finalizer_marks_total{result="resumed"}`) == 1 })
	program.Eventually(t, "age decides of the other", func() bool { return d.Status(t, unmarked) == "queued 1" })
	assert.Equal(t, "running 1", d.Status(t, job))
	p.Signal(t, syscall.SIGKILL)
	program.Eventually(t, "it comes back at once", func() bool { return d.Status(t, job) == "queued 1" })

	// All.
	w = again(t, w, s.With(program.Settings{"REAPER_GUARDED_STAGES": "*"}))
	d.Finished(t, elsewhere, "review")
	peer := program.Connect(t, w.Socket)
	require.True(t, peer.Ask(t, fmt.Sprintf(`{"op":"mark","job":%d,"run":%d}`, elsewhere, program.FirstRun(elsewhere))).OK)
	d.Age(t, elsewhere, pastGrace)
	program.Eventually(t, "another stage defers too", func() bool { return w.Queue(t, elsewhere).Verdict.Action == "defer" })
}

// again stops a watchdog in order and starts it with other settings on the same socket.
func again(t *testing.T, w *program.Watchdog, s program.Settings) *program.Watchdog {
	t.Helper()
	w.Signal(t, syscall.SIGTERM)
	require.Equal(t, 0, w.Wait(t, program.Patience), w.Output())
	return program.Serve(t, s)
}
