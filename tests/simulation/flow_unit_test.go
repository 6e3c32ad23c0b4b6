package simulation

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// socketpair is a connection whose both ends are nobody's.
func socketpair(lag time.Duration) (a, b *end) {
	there := newFlow(func() time.Duration { return lag }, func([]byte) {})
	back := newFlow(func() time.Duration { return lag }, func([]byte) {})
	return &end{in: back, out: there, gate: newGate()}, &end{in: there, out: back, gate: newGate()}
}

// TestAStreamIsLikeASocket is about what the product may rely on: the simulator must not be kinder.
func TestAStreamIsLikeASocket(t *testing.T) {
	inBubble(t, "what was sent before the close can be read after it", func(t *testing.T) {
		a, b := socketpair(time.Second)
		_, err := a.Write([]byte("clear"))
		require.NoError(t, err)
		require.NoError(t, a.Close())
		text, err := io.ReadAll(b)
		assert.Equal(t, "clear", string(text))
		assert.NoError(t, err)
		_, err = b.Write([]byte("x"))
		assert.ErrorIs(t, err, syscall.EPIPE)
		_, err = a.Read(make([]byte, 1))
		assert.ErrorIs(t, err, net.ErrClosed)
	})
	inBubble(t, "who closes with something unread resets", func(t *testing.T) {
		a, b := socketpair(0)
		_, _ = a.Write([]byte("reply"))
		_, _ = b.Write([]byte("beat"))
		require.NoError(t, a.Close())
		text, err := io.ReadAll(b)
		assert.Equal(t, "reply", string(text))
		assert.ErrorIs(t, err, syscall.ECONNRESET)
	})
	inBubble(t, "a writer waits for room, and not past its deadline", func(t *testing.T) {
		a, b := socketpair(0)
		_, err := a.Write(make([]byte, flowLimit))
		require.NoError(t, err)
		require.NoError(t, a.SetWriteDeadline(time.Now().Add(time.Second)))
		before := time.Now()
		n, err := a.Write([]byte("x"))
		assert.Zero(t, n)
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(before))
		require.NoError(t, a.SetWriteDeadline(time.Time{}))
		go func() { _, _ = io.ReadFull(b, make([]byte, 2)) }()
		_, err = a.Write([]byte("xy"))
		assert.NoError(t, err)
	})
	inBubble(t, "an end that is hung up on reads to the end of what was sent", func(t *testing.T) {
		a, b := socketpair(0)
		_, _ = a.Write([]byte("mark"))
		require.NoError(t, b.CloseRead())
		require.NoError(t, b.CloseWrite())
		_, err := a.Write([]byte("more"))
		assert.ErrorIs(t, err, syscall.EPIPE)
		text, err := io.ReadAll(b)
		assert.Equal(t, "mark", string(text))
		assert.NoError(t, err)
		_, err = a.Read(make([]byte, 1))
		assert.ErrorIs(t, err, io.EOF)
	})
	inBubble(t, "who is stopped does not read", func(t *testing.T) {
		a, b := socketpair(0)
		b.gate.set(true)
		_, _ = a.Write([]byte("x"))
		time.AfterFunc(time.Minute, func() { b.gate.set(false) })
		before := time.Now()
		_, err := b.Read(make([]byte, 1))
		assert.NoError(t, err)
		assert.Equal(t, time.Minute, time.Since(before))
	})
}

func inBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}
