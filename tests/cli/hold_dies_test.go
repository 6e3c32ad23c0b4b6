package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// TestHoldDies kills hold: its command dies with it, and the job is recovered.
func TestHoldDies(t *testing.T) {
	t.Parallel()
	w, d := served(t, nil)
	d.Finished(t, job, guarded)
	p := holding(t, w.Socket, "echo ready $$; exec sleep 300")
	pid := regexp.MustCompile(`ready (\d+)`).FindStringSubmatch(p.Output())
	require.NotNil(t, pid, p.Output())
	require.True(t, alive(pid[1]))

	p.Signal(t, syscall.SIGKILL)
	p.Wait(t, program.Patience)
	program.Eventually(t, "the command is dead", func() bool { return !alive(pid[1]) })
	program.Eventually(t, "the job is recovered", func() bool { return d.Status(t, job) == "queued 1" })
}

// TestHoldDiesWithItsGroup kills hold and all of its own process group: what the command has started dies too, before
// it could work on beside the next finalizer.
func TestHoldDiesWithItsGroup(t *testing.T) {
	t.Parallel()
	w, d := served(t, nil)
	d.Finished(t, job, guarded)
	p := holding(t, w.Socket, "sh -c 'echo ready $$; exec sleep 300' & wait")
	grandchild := regexp.MustCompile(`ready (\d+)`).FindStringSubmatch(p.Output())
	require.NotNil(t, grandchild, p.Output())
	left, err := strconv.Atoi(grandchild[1])
	require.NoError(t, err)
	defer func() { _ = syscall.Kill(left, syscall.SIGKILL) }()

	require.NoError(t, syscall.Kill(-p.PID, syscall.SIGKILL))
	p.Wait(t, program.Patience)
	program.Eventually(t, "what the command has started is dead", func() bool { return !alive(grandchild[1]) })
	program.Eventually(t, "the job is recovered", func() bool { return d.Status(t, job) == "queued 1" })
}

// What a command leaves running when it ends by itself is left alone: the guard has gone before.
func TestHoldLeavesWhatTheCommandLeft(t *testing.T) {
	t.Parallel()
	status, stdout, _ := ran(t, filepath.Join(program.Folder(t), "none"), hold("sh", "-c", "sleep 300 >/dev/null 2>&1 & echo $!")...)
	assert.Equal(t, 0, status)
	left := strings.TrimSpace(stdout)
	assert.True(t, alive(left))
	pid, err := strconv.Atoi(left)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
}

// alive reports whether a process runs: one that is dead may wait as a zombie for a parent that is not ours.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}
