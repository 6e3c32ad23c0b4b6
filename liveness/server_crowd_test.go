package liveness

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// crowded is how many connections say nothing; all when long tests are asked for, as far as descriptors allow:
// each takes two here, and one in the process that connects.
func crowded(t *testing.T) int {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		return 500
	}
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	return min(10_000, int(limit.Cur-200)/2)
}

func TestSilentConnections(t *testing.T) {
	n := crowded(t)
	s := listening(t)
	s.Connections = n + 10
	s.run()
	before := memory()
	s.peer().say(fmt.Sprint("crowd ", n-1))
	s.eventually(func() bool { return s.sessions() == n }, "all are let in")
	t.Logf("%d silent connections, %d bytes each", n, (memory()-before)/n)

	k := s.dial()
	token := k.mark("1914")
	assert.True(t, k.ask(checking("1914", token)).OK)
	assert.True(t, k.ask(clearing("1914", token)).OK)
}

// memory is what the process has of it in use.
func memory() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

func TestLimitOfConnections(t *testing.T) {
	t.Parallel()
	s := listening(t)
	s.Connections = 3
	s.run()
	owner, beating, silent := s.dial(), s.dial(), s.dial()
	owner.mark("1914")
	for _, k := range []*talk{beating, silent} {
		require.True(t, k.ask(beat).OK)
	}
	late := s.dial()
	assert.Equal(t, protocol.Overloaded, late.next().Error)
	late.ended()
	for _, k := range []*talk{owner, beating, silent} {
		assert.True(t, k.ask(beat).OK, "those who are in are not disturbed")
	}

	s.pass(lease)
	require.True(t, beating.ask(beat).OK)
	assert.True(t, s.dial().ask(beat).OK, "room is made for it")
	silent.ended()
	assert.True(t, beating.ask(beat).OK)
	assert.Equal(t, watchdog.Stalled, s.state("1914"), "who owns something is not hung up on, silent as it may be")
	assert.True(t, owner.ask(beat).OK)

	again := s.dial()
	assert.Equal(t, protocol.Overloaded, again.next().Error, "nobody is left who could go")
	require.NoError(t, beating.conn.Close())
	s.eventually(func() bool { return s.sessions() == 2 }, "the hang-up is noticed")
	s.eventually(func() bool {
		k := s.dial()
		k.send(beat)
		return k.next().OK
	}, "its place is free")
}

// TestThoseWhoHungUpTakeNoMoreRoom is about a peer that connects, marks and hangs up again and again: each time its
// process is watched, in case that it is not heard of again.
func TestThoseWhoHungUpTakeNoMoreRoom(t *testing.T) {
	t.Parallel()
	s := listening(t)
	s.Connections = 10
	s.run()
	honest := s.dial()
	require.NotZero(t, honest.mark("1914"))
	for i := range 30 {
		k := s.dial()
		k.mark(fmt.Sprint(i))
		require.NoError(t, k.conn.Close())
	}
	s.eventually(func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.conns) == 1
	}, "they hung up")
	s.mu.Lock()
	assert.LessOrEqual(t, len(s.parted), s.Connections, "each takes a descriptor")
	s.mu.Unlock()
	assert.Equal(t, 31, s.sessions(), "they are waited for all the same, for a lease")
	proofs := s.Registry.Count(s.boot()).Sessions
	assert.GreaterOrEqual(t, proofs[watchdog.ProofNone], 20)
	assert.GreaterOrEqual(t, proofs[watchdog.ProofPidfd], 2)
	assert.True(t, honest.ask(beat).OK)
}

func TestAPeerThatNeverReads(t *testing.T) {
	t.Parallel()
	s := listening(t)
	s.reaper.body = `"x":"` + strings.Repeat("x", 1<<16) + `"`
	s.run()
	deaf, honest := s.dial(), s.dial()
	deaf.mark("1914")
	hungUpOn := make(chan struct{})
	go func() {
		defer close(hungUpOn)
		for {
			if _, err := deaf.conn.Write([]byte(`{"op":"status"}` + "\n")); err != nil {
				assert.True(t, hungUp(err), err)
				return
			}
		}
	}()
	honest.mark("2020")
	s.reap("1914")
	s.eventually(func() bool {
		select {
		case <-hungUpOn:
			return true
		default:
			return !honest.ask(beat).OK
		}
	}, "it is hung up on")
	s.eventually(func() bool { return s.sessions() == 1 }, "and forgotten")
	assert.True(t, honest.ask(beat).OK)
}

// TestOutboxIsBounded is about events for a peer that does not read, while a write to it is under way.
func TestOutboxIsBounded(t *testing.T) {
	t.Parallel()
	k, far := pair(t)
	asked := 0
	o := &outbox{stream: far, flush: func() { asked++ }}
	event := protocol.Event{Job: strings.Repeat("j", protocol.MaxID), Token: 1, Reason: "backstop"}
	for range outboxMax / 100 {
		o.Tell(event)
	}
	assert.Nil(t, o.buf)
	assert.Equal(t, 1, asked, "one flush is enough for many")
	o.Flush()
	k.ended()
}
