package client_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

var errRefused = errors.New("connection refused")

// watchdog is a scripted one: tests accept its connections and answer its requests by hand. It lives in a
// bubble, as its client does.
type watchdog struct {
	t     *testing.T
	conns chan net.Conn
	down  atomic.Bool
	dials atomic.Int64
}

// line is one connection as the watchdog sees it.
type line struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Scanner
}

// newWatchdog returns a watchdog and a client of it whose clocks are the bubble's.
func newWatchdog(t *testing.T, o client.Options) (*watchdog, *client.Client) {
	w := &watchdog{t: t, conns: make(chan net.Conn, 16)}
	if o.Boot == nil {
		start := time.Now()
		o.Boot = func() time.Duration { return time.Since(start) }
	}
	o.Dial = func(context.Context) (net.Conn, error) {
		w.dials.Add(1)
		if w.down.Load() {
			return nil, errRefused
		}
		here, there := net.Pipe()
		w.conns <- there
		return here, nil
	}
	return w, client.New(o)
}

// accept waits for the client's next connection and answers its hello.
func (w *watchdog) accept() *line {
	w.t.Helper()
	l := w.pick()
	r := l.read()
	require.Equal(w.t, protocol.OpHello, r.Op)
	require.Equal(w.t, protocol.Version, r.Version)
	l.write(`{"ok":true,"v":1,"session":"s","lease_s":15,"beat_s":5}`)
	return l
}

func (w *watchdog) pick() *line {
	w.t.Helper()
	select {
	case conn := <-w.conns:
		return &line{t: w.t, conn: conn, in: bufio.NewScanner(conn)}
	case <-time.After(time.Hour):
		require.Fail(w.t, "the client does not connect")
		return nil
	}
}

// read returns the client's next request.
func (l *line) read() protocol.Request {
	l.t.Helper()
	require.NoError(l.t, l.conn.SetReadDeadline(time.Now().Add(time.Hour)))
	require.True(l.t, l.in.Scan(), "the client hung up: %v", l.in.Err())
	r, err := protocol.Parse(append([]byte(nil), l.in.Bytes()...))
	require.Nil(l.t, err, "%s: %v", l.in.Text(), err)
	return r
}

// expect reads the next request that is no beat, answers the beats before it, and requires its op.
func (l *line) expect(op protocol.Op) protocol.Request {
	l.t.Helper()
	for {
		r := l.read()
		if r.Op == protocol.OpBeat && op != protocol.OpBeat {
			l.reply(r, `"ok":true`)
			continue
		}
		require.Equal(l.t, op, r.Op)
		return r
	}
}

func (l *line) reply(r protocol.Request, members string) {
	l.t.Helper()
	l.write(fmt.Sprintf(`{"id":%s,%s}`, r.ID, members))
}

// answer expects a request and replies to it.
func (l *line) answer(op protocol.Op, members string) protocol.Request {
	l.t.Helper()
	r := l.expect(op)
	l.reply(r, members)
	return r
}

func (l *line) write(text string) {
	l.t.Helper()
	_, err := l.conn.Write([]byte(text + "\n"))
	require.NoError(l.t, err)
}

// silent requires that the client sends nothing for so long.
func (l *line) silent(d time.Duration) {
	l.t.Helper()
	require.NoError(l.t, l.conn.SetReadDeadline(time.Now().Add(d)))
	require.False(l.t, l.in.Scan(), "the client said %s", l.in.Text())
}

// mark marks the job over the line, which grants it under the token.
func (l *line) mark(c *client.Client, token uint64) *client.Ownership {
	l.t.Helper()
	marked := later(func() *client.Ownership {
		o, err := c.Mark(l.t.Context(), job)
		require.NoError(l.t, err)
		return o
	})
	l.answer(protocol.OpMark, fmt.Sprintf(`"ok":true,"token":%d`, token))
	return <-marked
}

var job = client.Job{ID: "1914", Run: "2207", Key: "t-7", Task: "ORCH-111", Stage: "deploy-staging"}

// owned is a client that owns the job under token 42 on the line.
func owned(t *testing.T) (*watchdog, *client.Client, *line, *client.Ownership) {
	w, c := newWatchdog(t, client.Options{Name: "orchestrator-0"})
	marked := later(func() *client.Ownership {
		o, err := c.Mark(t.Context(), job)
		require.NoError(t, err)
		return o
	})
	l := w.accept()
	l.answer(protocol.OpMark, `"ok":true,"token":42`)
	o := <-marked
	synctest.Wait()
	return w, c, l, o
}

// later runs f beside the test.
func later[T any](f func() T) <-chan T {
	out := make(chan T, 1)
	go func() { out <- f() }()
	return out
}

// spent is how long f takes by the bubble's clock.
func spent(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
