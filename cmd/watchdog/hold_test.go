package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/client"
)

// alone are arguments of hold for a job that nobody watches.
func alone(t *testing.T, command ...string) []string {
	return append([]string{"hold", "--socket", filepath.Join(t.TempDir(), "none"), "--job", "1914", "--run", "2207", "--"}, command...)
}

func TestHoldPassesTheStatusOn(t *testing.T) {
	denied := filepath.Join(t.TempDir(), "denied")
	require.NoError(t, os.WriteFile(denied, []byte("#!/bin/sh\n"), 0o600))
	for _, test := range []struct {
		status  int
		command []string
	}{
		{0, []string{"true"}},
		{3, []string{"sh", "-c", "exit 3"}},
		{255, []string{"sh", "-c", "exit 255"}},
		{128 + 9, []string{"sh", "-c", "kill -KILL $$"}},
		{128 + 15, []string{"sh", "-c", "kill -TERM $$"}},
		{127, []string{"no-such-command-anywhere"}},
		{127, []string{"/no/such/command"}},
		{126, []string{denied}},
		{126, []string{t.TempDir()}},
	} {
		status, stdout, stderr := start(t, nil, alone(t, test.command...)...)
		assert.Equal(t, test.status, status, "%v: %s", test.command, stderr)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, "nobody watches job 1914")
	}
}

func TestHoldHandsInputOutputAndEnvironmentOn(t *testing.T) {
	c, stdout, stderr := capture(entry{}, alone(t, "sh", "-c", `cat; echo "$A" >&2`)...)
	c.stdin, c.env = strings.NewReader("what was typed"), []string{"A=of the environment", "PATH=" + os.Getenv("PATH")}
	c.notify = func(chan<- os.Signal, ...os.Signal) {}
	assert.Equal(t, 0, run(t.Context(), c))
	assert.Equal(t, "what was typed", stdout.String())
	assert.Contains(t, stderr.String(), "of the environment\n")
}

func TestHoldRequires(t *testing.T) {
	args := alone(t, "echo", "it ran")
	status, stdout, stderr := start(t, nil, append([]string{"hold", "--require"}, args[1:]...)...)
	assert.Equal(t, exitFailed, status)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, "nobody watches job 1914")
	assert.Contains(t, stderr, "is it running, with this WATCHDOG_SOCKET? (--socket names another); the command was not run")
}

func TestHoldSaysWhyNobodyWatches(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for socket, why := range map[string]string{
		file + "none":                   "no such file or directory; is it running, with this WATCHDOG_SOCKET?",
		file:                            "connection refused; is it running, with this WATCHDOG_SOCKET?",
		file + strings.Repeat("x", 108): "invalid argument; the path of a socket has at most 107 bytes",
	} {
		status, stdout, stderr := start(t, nil, "hold", "--socket", socket, "--job", "1", "--run", "2", "--", "echo", "it ran")
		assert.Equal(t, exitOK, status)
		assert.Equal(t, "it ran\n", stdout)
		assert.Contains(t, stderr, "watchdog hold: nobody watches job 1 on "+socket+": the watchdog is away: dial unix")
		assert.Contains(t, stderr, why)
		assert.Contains(t, stderr, "; the command runs all the same\n")
	}
}

func TestHoldRefusesFaultyFlags(t *testing.T) {
	for want, args := range map[string][]string{
		"--job is missing":       {"--run", "2"},
		"--run is missing":       {"--job", "1"},
		"--job must have":        {"--job", strings.Repeat("1", 129), "--run", "2"},
		"--run must have":        {"--job", "1", "--run", "\xff"},
		"--key must have":        {"--job", "1", "--run", "2", "--key", strings.Repeat("k", 129)},
		"--role must be":         {"--job", "1", "--run", "2", "--role", "king"},
		"--budget must not":      {"--job", "1", "--run", "2", "--step", "s", "--budget", "-1s"},
		"--budget needs a":       {"--job", "1", "--run", "2", "--budget", "1s"},
		"invalid value \"soon\"": {"--budget", "soon"},
	} {
		status, stdout, stderr := start(t, nil, append(append([]string{"hold"}, args...), "--", "echo", "it ran")...)
		assert.Equal(t, exitUsage, status, args)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, want)
	}
	status, _, stderr := start(t, nil, "hold", "--job", "1", "--run", "2", "--")
	assert.Equal(t, exitUsage, status)
	assert.Contains(t, stderr, "COMMAND… is missing")
}

// script starts a shell as hold does, and returns when it has printed a line. The rest of its output ends when the
// last of its group has.
func script(t *testing.T, text string) (k *child, output *bufio.Reader) {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = read.Close() })
	require.NoError(t, read.SetReadDeadline(time.Now().Add(time.Minute)))
	cmd := exec.Command("sh", "-c", text)
	cmd.Stdout = write
	k, err = startChild(cmd, nil, nil)
	require.NoError(t, err)
	require.NoError(t, write.Close())
	output = bufio.NewReader(read)
	line, err := output.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return k, output
}

func revoked() context.Context {
	life, end := context.WithCancelCause(context.Background())
	end(&client.RevokedError{Job: "1914", Reason: "backstop"})
	return life
}

func TestHoldEndsTheWholeGroup(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		after  time.Duration // the SIGKILL
		status int
	}{
		"that listens":        {"trap 'exit 7' TERM; echo ready; while :; do sleep 0.02; done", time.Hour, 7},
		"that does not":       {"trap '' TERM; echo ready; sleep 300", 100 * time.Millisecond, 128 + 9},
		"whose members don't": {"(trap '' TERM; echo ready; sleep 300) & wait", 100 * time.Millisecond, 128 + 15},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, stderr := capture(entry{})
			h := &holding{command: c, killOnRevoke: true, killAfter: test.after}
			k, output := script(t, test.script)
			assert.Equal(t, test.status, h.tend(k, revoked()))
			_, err := io.ReadAll(output)
			require.NoError(t, err, "nobody of the group holds the pipe any more")
			assert.Equal(t, "watchdog hold: job 1914 was revoked: backstop; the command is ended\n", stderr.String())
		})
	}
}

func TestHoldGoesOnWhenRevoked(t *testing.T) {
	c, _, stderr := capture(entry{})
	h := &holding{command: c, signals: make(chan os.Signal, 1)}
	k, _ := script(t, "trap 'exit 7' USR1; echo ready; while :; do sleep 0.02; done")
	told := make(chan struct{})
	c.stderr = writerFunc(func(p []byte) (int, error) {
		defer close(told)
		return stderr.Write(p)
	})
	status := make(chan int)
	go func() { status <- h.tend(k, revoked()) }()
	<-told
	h.signals <- syscall.SIGUSR1
	assert.Equal(t, 7, <-status)
	assert.Equal(t, "watchdog hold: job 1914 was revoked: backstop; the command goes on\n", stderr.String())
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A signal that came before the command started is the command's all the same.
func TestHoldPassesSignalsOn(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		c, _, _ := capture(entry{}, alone(t, "sleep", "300")...)
		c.notify = func(to chan<- os.Signal, which ...os.Signal) {
			assert.Contains(t, which, s)
			to <- s
		}
		assert.Equal(t, 128+int(s), run(t.Context(), c), s)
	}
}

func TestIgnoredSignals(t *testing.T) {
	const nohup = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000001\nSigCgt:\tfffffffe7fc1feff\n"
	assert.True(t, ignores([]byte(nohup), syscall.SIGHUP))
	assert.False(t, ignores([]byte(nohup), syscall.SIGINT))
	assert.False(t, ignores([]byte("Name:\tx\n"), syscall.SIGHUP))
	assert.False(t, ignores([]byte(strings.Replace(nohup, "1\nSigC", "2\nSigC", 1)), syscall.SIGHUP))
}
