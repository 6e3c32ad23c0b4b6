package liveness

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

func TestAMegabyteInOneLine(t *testing.T) {
	t.Parallel()
	s := serve(t)
	other := s.dial()
	other.mark("other")
	hostile := s.dial()
	token := hostile.mark("its own")
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		_, _ = hostile.conn.Write([]byte(strings.Repeat("x", 1<<20) + "\n" + clearing("its own", token) + "\n"))
	}()
	assert.Equal(t, protocol.TooLong, hostile.next().Error)
	hostile.ended()
	<-wrote
	assert.True(t, other.ask(beat).OK, "the others are not disturbed")
	assert.Equal(t, watchdog.Connected, s.state("other"))
	s.eventually(func() bool { return s.state("its own") == watchdog.Reconnecting }, "what comes after it is not read")
}

func TestALineWithoutAnEnd(t *testing.T) {
	t.Parallel()
	s := serve(t)
	k := s.dial()
	_, err := k.conn.Write([]byte(beat + "\n" + strings.Repeat(" ", protocol.MaxLine)))
	require.NoError(t, err)
	assert.True(t, k.next().OK)
	assert.True(t, s.dial().ask(beat).OK)
	assert.True(t, k.silent(), "it may still become a request")
	_, err = k.conn.Write([]byte(" "))
	require.NoError(t, err)
	assert.Equal(t, protocol.TooLong, k.next().Error, "or may not any more")
	k.ended()
}

func TestByteByByte(t *testing.T) {
	t.Parallel()
	k := serve(t).dial()
	for i := range 20 {
		for _, b := range fmt.Appendf(nil, `{"op":"beat","id":%d}`+"\n", i) {
			_, err := k.conn.Write([]byte{b})
			require.NoError(t, err)
		}
		m := k.next()
		assert.True(t, m.OK)
		assert.Equal(t, fmt.Sprint(i), string(m.ID))
	}
}

// TestPipelining sends many requests, good and bad, in pieces that end anywhere.
func TestPipelining(t *testing.T) {
	t.Parallel()
	const n = 3000
	k := serve(t).dial()
	var lines strings.Builder
	for i := range n {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&lines, `{"op":"mark","id":%d,"job":%d,"run":1,"key":"k"}`, i, i)
		case 1:
			fmt.Fprintf(&lines, `{"op":"nonsense","id":%d,"padding":%q}`, i, strings.Repeat("x", i))
		case 2:
			fmt.Fprintf(&lines, `{"op":"step","id":%d,"job":%d,"token":%d,"step":"s"}`, i, i-2, i/4+1)
		case 3:
			fmt.Fprintf(&lines, `{"op":"clear","id":%d,"job":%d,"token":%d}`, i, i-3, i/4+1)
		}
		lines.WriteByte('\n')
	}
	wrote := make(chan error, 1)
	go func() {
		random := rand.New(rand.NewPCG(19, 14))
		for rest := []byte(lines.String()); len(rest) > 0; {
			piece := min(1+random.IntN(9000), len(rest))
			if _, err := k.conn.Write(rest[:piece]); err != nil {
				wrote <- err
				return
			}
			rest = rest[piece:]
		}
		wrote <- nil
	}()
	for i := range n {
		m := k.next()
		require.Equal(t, fmt.Sprint(i), string(m.ID), "replies are in order")
		require.Equal(t, i%4 != 1, m.OK, m)
	}
	require.NoError(t, <-wrote)
	assert.True(t, k.silent(), "one reply each")
}

// TestReadSize grows with who pipelines, and shrinks when they do so no more.
func TestReadSize(t *testing.T) {
	size := readLeast
	for range 10 {
		size = readSize(size, size, 0)
	}
	assert.Equal(t, readMost, size)
	assert.Equal(t, readMost, readSize(size, readMost-1, 0), "a batch a little smaller")
	assert.Equal(t, 2*readMost, readSize(2*readMost, 1, 2*readMost-1), "a long line is not lost")
	assert.Equal(t, readLeast, readSize(size, len(beat), 0))
	assert.Equal(t, readLeast, readSize(readLeast, len(beat), 0))
}

// TestWhatWasSentBeforeTheHangUpIsApplied is about a peer that does not stay for its replies.
func TestWhatWasSentBeforeTheHangUpIsApplied(t *testing.T) {
	t.Parallel()
	const n = 300
	s := serve(t)
	k := s.dial()
	lines := make([]string, 0, 2*n+1)
	for i := range uint64(n) {
		lines = append(lines, marking(fmt.Sprint(i)), clearing(fmt.Sprint(i), i+1))
	}
	k.send(append(lines, marking("kept"))...)
	require.NoError(t, k.conn.Close())
	s.eventually(func() bool { return s.state("kept") == watchdog.Reconnecting }, "a lost connection is silence")
	assert.Equal(t, n, s.seen.of("clear"))
}
