package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

const (
	pastGrace   = 10 * time.Minute
	pastCeiling = 3 * time.Hour
)

// holding starts hold around a shell script, and returns when the script has said that it is ready.
func holding(t *testing.T, socket, script string, flags ...string) *program.Process {
	t.Helper()
	p := program.Start(t, command(t, socket, with(hold("sh", "-c", script), flags...)...))
	awaitReady(t, p)
	return p
}

func awaitReady(t *testing.T, p *program.Process) {
	t.Helper()
	program.Eventually(t, "the command is ready", func() bool {
		select {
		case <-p.Ended():
			t.Fatalf("hold ended:\n%s", p.Output())
		default:
		}
		return strings.Contains(p.Output(), "ready")
	})
}

// TestHold follows an ownership from its mark to its clear.
func TestHold(t *testing.T) {
	t.Parallel()
	w, d := served(t, nil)
	d.Finished(t, job, guarded)
	p := holding(t, w.Socket, "trap 'exit 3' TERM; echo ready; while :; do sleep 0.02; done", "--step", "re-test", "--budget", "30m")
	d.Age(t, job, pastGrace)

	status, stdout, _ := ran(t, w.Socket, "explain", "--url", w.URL, strconv.Itoa(job))
	assert.Equal(t, 0, status)
	assert.Contains(t, stdout, fmt.Sprintf("Its finalizer is \"hold sh\" (pid %d,", p.PID))
	assert.Contains(t, stdout, `Its step is "re-test", with a budget until `)
	assert.Equal(t, "running 1", d.Status(t, job))

	p.Signal(t, syscall.SIGTERM)
	assert.Equal(t, 3, p.Wait(t, program.Patience))
	program.Eventually(t, "it has cleared", func() bool { return w.Metric(t, `finalizer_releases_total{how="clear"}`) == 1 })
	assert.NotContains(t, p.Output(), "watchdog", "it says nothing of its own")
}

func TestHoldPassesEverySignalOn(t *testing.T) {
	t.Parallel()
	const script = `for s in HUP INT QUIT USR1 USR2; do trap "echo got $s" $s; done
		trap 'exit 9' TERM; echo ready; while :; do sleep 0.02; done`
	p := holding(t, filepath.Join(program.Folder(t), "none"), script)
	for _, s := range []struct {
		name   string
		signal syscall.Signal
	}{{"HUP", syscall.SIGHUP}, {"INT", syscall.SIGINT}, {"QUIT", syscall.SIGQUIT}, {"USR1", syscall.SIGUSR1},
		{"USR2", syscall.SIGUSR2}, {"INT", syscall.SIGINT}} {
		before := strings.Count(p.Output(), "got "+s.name)
		p.Signal(t, s.signal)
		program.Eventually(t, "the command has "+s.name, func() bool { return strings.Count(p.Output(), "got "+s.name) > before })
	}
	p.Signal(t, syscall.SIGTERM)
	assert.Equal(t, 9, p.Wait(t, program.Patience))
}

// What nohup keeps from a command, hold keeps from it too.
func TestHoldUnderNohup(t *testing.T) {
	t.Parallel()
	cmd := command(t, filepath.Join(program.Folder(t), "none"))
	script := `trap "" HUP; exec "$0" "$@"`
	cmd.Args = append([]string{"sh", "-c", script, cmd.Path}, hold("sh", "-c", `echo ready; read line; exit 4`)...)
	cmd.Path = "/bin/sh"
	in, out, err := os.Pipe()
	require.NoError(t, err)
	defer in.Close()
	defer out.Close()
	cmd.Stdin = in
	p := program.Start(t, cmd)
	awaitReady(t, p)
	for range 3 {
		require.NoError(t, syscall.Kill(-p.PID, syscall.SIGHUP))
		require.NoError(t, syscall.Kill(-child(t, p.PID), syscall.SIGHUP))
	}
	_, err = out.WriteString("\n")
	require.NoError(t, err)
	assert.Equal(t, 4, p.Wait(t, program.Patience))
}

// child is the only child of hold but for its guard.
func child(t *testing.T, pid int) int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	require.NoError(t, err)
	var children []string
	for _, path := range tasks {
		list, err := os.ReadFile(path)
		require.NoError(t, err)
		children = append(children, strings.Fields(string(list))...)
	}
	children = slices.DeleteFunc(children, func(pid string) bool {
		line, err := os.ReadFile("/proc/" + pid + "/cmdline")
		return err == nil && strings.HasSuffix(string(line), "\x00guard\x00")
	})
	require.Len(t, children, 1)
	only, err := strconv.Atoi(children[0])
	require.NoError(t, err)
	return only
}

func TestHoldHandsNoSocketOn(t *testing.T) {
	t.Parallel()
	w, d := served(t, nil)
	d.Finished(t, job, guarded)
	status, stdout, stderr := ran(t, w.Socket, hold("ls", "-l", "/proc/self/fd")...)
	assert.Equal(t, 0, status)
	assert.Empty(t, stderr, "it was marked")
	assert.Contains(t, stdout, " 0 -> ")
	assert.NotContains(t, stdout, "socket:")
	assert.NotContains(t, stdout, "pidfd")
}

func TestHoldRefusesAnothersJob(t *testing.T) {
	t.Parallel()
	w, d := served(t, nil)
	d.Finished(t, job, guarded)
	p := program.Connect(t, w.Socket)
	require.True(t, p.Ask(t, `{"op":"hello","v":1,"name":"orchestrator-0"}`).OK)
	require.True(t, p.Ask(t, fmt.Sprintf(`{"op":"mark","job":%d,"run":%s}`, job, run)).OK)
	status, stdout, stderr := ran(t, w.Socket, hold("echo", "it ran")...)
	assert.Equal(t, 1, status)
	assert.Empty(t, stdout)
	assert.Regexp(t, `^watchdog hold: job 1914 is owned by "orchestrator-0" since \S+; the command was not run\n$`, stderr)

	p.Signal(t, syscall.SIGKILL)
	program.Eventually(t, "the job is recovered", func() bool { return d.Status(t, job) == "queued 1" })
	program.Eventually(t, "the reap is over", func() bool {
		return w.Metric(t, `reaper_reaped_total{reason="owner-died",tier="2"}`) == 1
	})
	status, stdout, stderr = ran(t, w.Socket, hold("echo", "it ran")...)
	assert.Equal(t, 1, status)
	assert.Empty(t, stdout)
	assert.Equal(t, "watchdog hold: job 1914 was revoked: owner-died; the command was not run\n", stderr)
}

// A mark is answered before the database is asked: hold waits for what the database says, and only then runs the command.
func TestHoldRunsNothingForAJobThatIsOver(t *testing.T) {
	t.Parallel()
	w, d := served(t, nil)
	d.Finished(t, job, guarded)
	for _, over := range []struct{ what, job, run string }{
		{"another run's", "1914", "2206"}, {"unknown", "1915", "2208"}, {"closed", "1914", run},
	} {
		if over.what == "closed" {
			d.Exec(t, "UPDATE jobs SET status = 'done' WHERE id = 1914")
		}
		for range 4 {
			const unknown = `finalizer_checks_total{result="unavailable"}`
			before := w.Metric(t, unknown)
			status, stdout, stderr := ran(t, w.Socket, "hold", "--job", over.job, "--run", over.run, "--", "echo", "it ran")
			if status == 0 && w.Metric(t, unknown) > before {
				continue // the machine is so busy that the database did not answer within a second
			}
			assert.Equal(t, 1, status, over.what)
			assert.Empty(t, stdout, over.what)
			assert.Equal(t, "watchdog hold: job "+over.job+" was revoked: closed; the command was not run\n", stderr, over.what)
		}
	}
}

// With the switch off no check is answered: that forbids nothing, and the job is marked all the same.
func TestHoldRunsWhileTheSwitchIsOff(t *testing.T) {
	t.Parallel()
	w, d := served(t, program.Settings{"REAPER_FINALIZER_LIVENESS_ENABLED": "false"})
	d.Finished(t, job, guarded)
	status, stdout, stderr := ran(t, w.Socket, with(hold("echo", "it ran"), "--require")...)
	assert.Equal(t, 0, status)
	assert.Equal(t, "it ran\n", stdout)
	assert.Empty(t, stderr)
}

// TestHoldIsRevoked has the job of two holds, each with a watchdog of its own, reaped while their commands run.
func TestHoldIsRevoked(t *testing.T) {
	const script = `trap 'exit 7' TERM; trap 'exit 8' USR1; echo ready; while :; do sleep 0.02; done`
	for name, test := range map[string]struct {
		flags  []string
		says   string
		end    syscall.Signal // what ends the command; 0: hold itself
		status int
	}{
		"goes on":  {nil, "the command goes on", syscall.SIGUSR1, 8},
		"is ended": {[]string{"--kill-on-revoke"}, "the command is ended", 0, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, d := served(t, nil)
			d.Finished(t, job, guarded)
			p := holding(t, w.Socket, script, test.flags...)
			d.Age(t, job, pastCeiling)
			program.Eventually(t, "it is told", func() bool {
				return strings.Contains(p.Output(), "watchdog hold: job 1914 was revoked: backstop; "+test.says+"\n")
			})
			if test.end != 0 {
				p.Signal(t, test.end)
			}
			assert.Equal(t, test.status, p.Wait(t, program.Patience))
			program.Eventually(t, "the reap is committed", func() bool { return d.Status(t, job) == "queued 1" })
		})
	}
}

func TestHoldWithoutAWatchdog(t *testing.T) {
	t.Parallel()
	none := filepath.Join(program.Folder(t), "none")
	began := time.Now()
	status, stdout, stderr := ran(t, none, hold("sh", "-c", "echo it ran; exit 5")...)
	assert.Equal(t, 5, status)
	assert.Equal(t, "it ran\n", stdout)
	assert.Equal(t, "watchdog hold: nobody watches job 1914 on "+none+": the watchdog is away: dial unix "+none+": connect: no such file or "+
		"directory; is it running, with this WATCHDOG_SOCKET? (--socket names another); the command runs all the same\n", stderr)
	assert.Less(t, time.Since(began), program.Patience)

	status, stdout, stderr = ran(t, none, with(hold("echo", "it ran"), "--require")...)
	assert.Equal(t, 1, status)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, "is it running, with this WATCHDOG_SOCKET? (--socket names another); the command was not run")
}
