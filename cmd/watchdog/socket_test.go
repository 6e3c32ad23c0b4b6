package main

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// fakeWatchdog answers the first line of each connection with a reply, and keeps what it was asked.
type fakeWatchdog struct {
	socket string
	asked  chan string
}

func newFakeWatchdog(t *testing.T, reply string) *fakeWatchdog {
	t.Helper()
	folder, err := os.MkdirTemp("", "wd") // a test's own folder may be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(folder)) })
	f := &fakeWatchdog{socket: filepath.Join(folder, "s"), asked: make(chan string, 1)}
	listener, err := net.Listen("unix", f.socket)
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n')
			f.asked <- line
			_, _ = conn.Write([]byte(reply))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	return f
}

// start runs a subcommand in an environment and returns what it gave.
func start(t *testing.T, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	c, out, errs := capture(entry{}, args...)
	c.env = env
	c.notify = func(chan<- os.Signal, ...os.Signal) {}
	status = run(t.Context(), c)
	return status, out.String(), errs.String()
}

func TestSwitch(t *testing.T) {
	for to, want := range map[string]struct{ asked, says string }{
		"on":  {`{"op":"switch","finalizer_liveness":true}`, "the switch is on: "},
		"off": {`{"op":"switch","finalizer_liveness":false}`, "the switch is off: "},
	} {
		f := newFakeWatchdog(t, `{"ok":true}`+"\n")
		status, stdout, stderr := start(t, []string{"WATCHDOG_SOCKET=" + f.socket}, "switch", to)
		assert.Equal(t, exitOK, status)
		assert.Empty(t, stderr)
		assert.Equal(t, want.asked+"\n", <-f.asked)
		assert.Contains(t, stdout, want.says)
		assert.Contains(t, stdout, "until the watchdog restarts")
	}
}

func TestBrake(t *testing.T) {
	f := newFakeWatchdog(t, `{"ok":true}`+"\n")
	status, stdout, _ := start(t, nil, "brake", "--socket", f.socket, "release")
	assert.Equal(t, exitOK, status)
	assert.Equal(t, `{"op":"release-brake"}`+"\n", <-f.asked)
	assert.Contains(t, stdout, "the brake is released")
	assert.Contains(t, stdout, "when the watchdog restarts")
}

func TestControlsTakeNothingElse(t *testing.T) {
	for _, args := range [][]string{{"switch"}, {"switch", "of"}, {"brake"}, {"brake", "on"}, {"status", "x"},
		{"status", "--json", "--quiet"}} {
		status, stdout, stderr := start(t, []string{"WATCHDOG_SOCKET=/no/such/socket"}, args...)
		assert.Equal(t, exitUsage, status, args)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, "--help for its usage")
	}
}

func TestControlsTellWhoMay(t *testing.T) {
	f := newFakeWatchdog(t, `{"ok":false,"error":"forbidden","message":"only the watchdog's own user and root may do this"}`+"\n")
	for _, args := range [][]string{{"switch", "off"}, {"brake", "release"}} {
		status, stdout, stderr := start(t, []string{"WATCHDOG_SOCKET=" + f.socket}, args...)
		<-f.asked
		assert.Equal(t, exitFailed, status)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, "the watchdog refused: forbidden: only the watchdog's own user and root may do this")
	}
}

func TestAWatchdogThatIsNotThere(t *testing.T) {
	folder := t.TempDir()
	for _, args := range [][]string{{"switch", "off"}, {"brake", "release"}, {"status"}} {
		status, stdout, stderr := start(t, []string{"WATCHDOG_SOCKET=" + folder + "/s"}, args...)
		assert.Equal(t, exitFailed, status)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, "no such file")
		assert.Contains(t, stderr, "is it running, with this WATCHDOG_SOCKET?")
	}
	status, stdout, stderr := start(t, []string{"WATCHDOG_SOCKET=" + folder + "/s"}, "status", "--quiet")
	assert.Equal(t, exitFailed, status)
	assert.Empty(t, stdout+stderr)
}

func TestAnswersThatAreNone(t *testing.T) {
	for reply, want := range map[string]string{
		"":           "ask the watchdog: EOF",
		"nonsense\n": "parse message",
		`{"ok":true`: "ask the watchdog: EOF",
	} {
		f := newFakeWatchdog(t, reply)
		status, _, stderr := start(t, []string{"WATCHDOG_SOCKET=" + f.socket}, "status")
		<-f.asked
		assert.Equal(t, exitFailed, status, reply)
		assert.Contains(t, stderr, want)
	}
}

// Who waits for a watchdog that is silent can be told to stop.
func TestASilentWatchdog(t *testing.T) {
	folder, err := os.MkdirTemp("", "wd")
	require.NoError(t, err)
	defer os.RemoveAll(folder)
	listener, err := net.Listen("unix", filepath.Join(folder, "s"))
	require.NoError(t, err)
	defer listener.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	asked := make(chan net.Conn)
	go func() {
		conn, err := listener.Accept()
		if assert.NoError(t, err) {
			_, err = conn.Read(make([]byte, 1))
			assert.NoError(t, err)
		}
		cancel(errors.New("enough"))
		asked <- conn
	}()
	_, err = askSocket(ctx, listener.Addr().String(), protocol.Request{Op: protocol.OpStatus})
	assert.EqualError(t, err, "ask the watchdog: enough")
	require.NoError(t, (<-asked).Close())
}
