package liveness

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// talk is one connection to a server, as a client has it.
type talk struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func (s *served) dial() *talk {
	s.t.Helper()
	conn, err := dialUnix(s.path)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { conn.Close() })
	return &talk{t: s.t, conn: conn, in: bufio.NewReader(conn)}
}

// send writes lines, in one write.
func (k *talk) send(lines ...string) {
	k.t.Helper()
	_, err := k.conn.Write([]byte(strings.Join(lines, "\n") + "\n"))
	require.NoError(k.t, err)
}

// next is the next line of the server.
func (k *talk) next() protocol.Message {
	k.t.Helper()
	require.NoError(k.t, k.conn.SetReadDeadline(time.Now().Add(soon)))
	line, err := k.in.ReadBytes('\n')
	require.NoError(k.t, err)
	m, err := protocol.ParseMessage(line)
	require.NoError(k.t, err)
	return m
}

// ask sends one request and returns its reply.
func (k *talk) ask(line string) protocol.Message {
	k.t.Helper()
	k.send(line)
	return k.next()
}

// mark owns the job under run 1 and returns the token.
func (k *talk) mark(job string) uint64 {
	k.t.Helper()
	m := k.ask(marking(job))
	require.True(k.t, m.OK, m)
	return m.Token
}

// silent reports that the server has said nothing until now.
func (k *talk) silent() bool {
	k.t.Helper()
	require.NoError(k.t, k.conn.SetReadDeadline(time.Now()))
	_, err := k.in.Peek(1)
	var late net.Error
	return errors.As(err, &late) && late.Timeout()
}

// ended waits for the server to hang up, with nothing more said.
func (k *talk) ended() {
	k.t.Helper()
	require.NoError(k.t, k.conn.SetReadDeadline(time.Now().Add(soon)))
	rest, err := k.in.ReadString('\n')
	require.Empty(k.t, rest)
	require.True(k.t, hungUp(err), err)
}

// hungUp reports whether an error says that the other end closed the connection, be it with something unread.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

const beat = `{"op":"beat"}`

func marking(job string) string { return fmt.Sprintf(`{"op":"mark","job":%q,"run":"1"}`, job) }

func checking(job string, token uint64) string {
	return fmt.Sprintf(`{"op":"check","job":%q,"token":%d}`, job, token)
}

func stepping(job string, token uint64) string {
	return fmt.Sprintf(`{"op":"step","job":%q,"token":%d,"step":"s"}`, job, token)
}

func clearing(job string, token uint64) string {
	return fmt.Sprintf(`{"op":"clear","job":%q,"token":%d}`, job, token)
}
