package cli

import (
	"encoding/json"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	w, d := served(t, nil)
	d.Finished(t, job, guarded)
	p := holding(t, w.Socket, "echo ready; exec sleep 300")
	program.Eventually(t, "a pass was made", func() bool { return w.Metric(t, "watchdog_database_up") == 1 })
	status, stdout, stderr := ran(t, w.Socket, "status")
	assert.Equal(t, 0, status)
	assert.Empty(t, stderr)
	assert.Contains(t, stdout, ", process "+strconv.Itoa(w.PID)+", up ")
	assert.Contains(t, stdout, "\nsocket     "+w.Socket+"\n")
	assert.Contains(t, stdout, "\nswitch     on: ")
	assert.Contains(t, stdout, "\nreaper     acts\n")
	assert.Contains(t, stdout, "\ndatabase   up\n")
	assert.Contains(t, stdout, "\nowned      1 job, 0 of them stalled\n")
	assert.Contains(t, stdout, "\nsessions   2: the death of 2 is proven by pidfd,", "hold, and who asks")
	assert.Regexp(t, `\n  WATCHDOG_HEARTBEAT_LEASE +15s\n`, stdout)

	status, stdout, _ = ran(t, w.Socket, "status", "--json")
	assert.Equal(t, 0, status)
	var reply struct {
		OK    bool
		PID   int
		Owned int
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &reply))
	assert.Equal(t, w.PID, reply.PID)
	assert.True(t, reply.OK)
	assert.Equal(t, 1, reply.Owned)

	status, stdout, stderr = ran(t, w.Socket, "status", "--quiet")
	assert.Equal(t, 0, status)
	assert.Empty(t, stdout+stderr)
	p.Signal(t, syscall.SIGTERM)
	w.Signal(t, syscall.SIGTERM)
	w.Wait(t, program.Patience)
	status, stdout, stderr = ran(t, w.Socket, "status", "--quiet")
	assert.Equal(t, 1, status)
	assert.Empty(t, stdout+stderr)
}

// TestSwitch turns the switch off and on, and sees the verdict follow.
func TestSwitch(t *testing.T) {
	t.Parallel()
	w, d := served(t, program.Settings{"REAPER_DRY_RUN": "true"})
	d.Finished(t, job, guarded)
	d.Age(t, job, pastGrace)
	holding(t, w.Socket, "echo ready; exec sleep 300")
	says := func(what string) {
		t.Helper()
		program.Eventually(t, "it says "+what, func() bool { return w.Queue(t, job).Says() == what })
	}
	says("defer connected")
	status, stdout, stderr := ran(t, w.Socket, "switch", "off")
	assert.Equal(t, 0, status, stderr)
	assert.Contains(t, stdout, "the switch is off: ")
	assert.Equal(t, 0.0, w.Metric(t, "reaper_liveness_enabled"))
	says("reap unfinalized")
	_, stdout, _ = ran(t, w.Socket, "status")
	assert.Contains(t, stdout, "\nswitch     OFF: ")
	_, stdout, _ = ran(t, w.Socket, "explain", "--url", w.URL, strconv.Itoa(job))
	assert.Contains(t, stdout, "The finalizer's ownership has no influence: the switch is off.")
	assert.Contains(t, stdout, "This is a dry run")

	status, stdout, _ = ran(t, w.Socket, "switch", "on")
	assert.Equal(t, 0, status)
	assert.Contains(t, stdout, "the switch is on: ")
	says("defer connected")
}

// TestBrake lets a reaper go on that doubts itself.
func TestBrake(t *testing.T) {
	t.Parallel()
	w, d := served(t, program.Settings{"REAPER_BRAKE_MIN": "2", "REAPER_INTERVAL": "1s"})
	for id := int64(job); id < job+3; id++ {
		d.Finished(t, id, guarded)
		d.Age(t, id, pastGrace)
	}
	program.Eventually(t, "it brakes", func() bool { return w.Metric(t, "reaper_braking") == 1 })
	_, stdout, _ := ran(t, w.Socket, "status")
	assert.Contains(t, stdout, "BRAKES")
	status, stdout, stderr := ran(t, w.Socket, "brake", "release")
	assert.Equal(t, 0, status, stderr)
	assert.Contains(t, stdout, "the brake is released")
	for id := int64(job); id < job+3; id++ {
		program.Eventually(t, "it is reaped", func() bool { return d.Status(t, id) == "queued 1" })
	}
}

func TestExplainWhatIsNotThere(t *testing.T) {
	t.Parallel()
	w, _ := served(t, nil)
	status, stdout, stderr := ran(t, w.Socket, "explain", "--url", w.URL, "7")
	assert.Equal(t, 1, status)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, `job="7": no such job; `)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	d := program.OnSQLite(t)
	cmd := command(t, "/no/such/socket", "check")
	cmd.Env = append(cmd.Env, "WATCHDOG_DATABASE_URL="+d.URL)
	output, err := cmd.Output()
	require.NoError(t, err, string(output))
	assert.Contains(t, string(output), "nothing has to be changed")

	status, _, stderr := ran(t, "/no/such/socket", "check")
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "WATCHDOG_DATABASE_URL: must be set")
}
