package liveness

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// pair is a connection to nobody in particular, and its other end.
func pair(t *testing.T) (*talk, *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "pair")
		conn, err := net.FileConn(file)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		t.Cleanup(func() { conn.Close() })
		ends[i] = conn.(*net.UnixConn)
	}
	return &talk{t: t, conn: ends[0], in: bufio.NewReader(ends[0])}, ends[1]
}

// dialAs connects as another user. Only the kernel's word for it is made up.
func (s *served) dialAs(t *testing.T, uid int) *talk {
	t.Helper()
	require.True(t, s.dial().ask(beat).OK, "the server runs")
	k, far := pair(t)
	c := s.newConn(Arrival{Stream: far, Peer: Peer{UID: uid, PID: 17, Proof: watchdog.ProofNone}})
	require.True(t, s.enter(t.Context(), c))
	return k
}

func TestAllowedUsers(t *testing.T) {
	t.Parallel()
	s := listening(t)
	s.AllowedUIDs = []int{os.Getuid() + 1}
	s.run()
	k := s.dial()
	assert.Equal(t, protocol.Forbidden, k.next().Error)
	k.ended()
	assert.Zero(t, s.sessions())

	s = listening(t)
	s.AllowedUIDs = []int{os.Getuid() + 1, os.Getuid()}
	s.run()
	assert.True(t, s.dial().ask(beat).OK)
}

func TestControlsAreForTheWatchdogsOwnUserAndRoot(t *testing.T) {
	t.Parallel()
	s := serve(t)
	stranger := s.dialAs(t, os.Getuid()+1)
	assert.Equal(t, protocol.Forbidden, stranger.ask(`{"op":"switch","finalizer_liveness":false}`).Error)
	assert.Equal(t, protocol.Forbidden, stranger.ask(`{"op":"release-brake"}`).Error)
	assert.Empty(t, s.reaper.done())
	assert.True(t, s.reaper.on.Load())
	assert.True(t, stranger.ask(`{"op":"status"}`).OK, "to look is allowed")
	assert.NotZero(t, stranger.mark("1914"), "to work, too")

	root, own := s.dialAs(t, 0), s.dial()
	assert.True(t, root.ask(`{"op":"release-brake"}`).OK)
	assert.True(t, own.ask(`{"op":"switch","finalizer_liveness":false}`).OK)
	assert.Equal(t, []string{"release by uid 0, pid 17", fmt.Sprintf("switch by uid %d, pid %d", os.Getuid(), os.Getpid())}, s.reaper.done())
}

// TestSwitchedOnTheDeadAreTakenAgain is about those who died while nobody acted on it.
func TestSwitchedOnTheDeadAreTakenAgain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.peer().say(marking("1914"), "die")
	<-s.Registry.Deaths()
	_, _ = s.Registry.TakeDead(10)
	assert.True(t, s.dial().ask(`{"op":"switch","finalizer_liveness":true}`).OK)
	assert.Equal(t, []watchdog.JobID{"1914"}, s.dead(), "at once, not by the minute")
}
