package liveness

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// bubble is a server in a bubble, with peers that come by pipes: what waits for nobody takes no time there, and what
// waits takes as long as it is to, however busy the machine is.
type bubble struct {
	*served
	arrivals chan Arrival
	stop     func() error
}

func inBubble(t *testing.T, test func(t *testing.T, b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{served: listening(t), arrivals: make(chan Arrival)}
		up, began := b.boot(), time.Now()
		b.clock = func() time.Duration { return up + time.Since(began) }
		b.stop = b.runBy(func(ctx context.Context) error { return b.Serve(ctx, b.arrivals) })
		test(t, b)
	})
}

// pipe is a connection on which nothing is under way: what one end writes waits until the other reads it.
type pipe struct{ net.Conn }

func (p pipe) CloseRead() error  { return p.Close() }
func (p pipe) CloseWrite() error { return p.Close() }

func (b *bubble) dial() *talk {
	near, far := net.Pipe()
	b.t.Cleanup(func() { near.Close() })
	b.arrivals <- Arrival{Stream: pipe{far}, Peer: Peer{UID: os.Getuid(), Proof: watchdog.ProofNone}}
	return &talk{t: b.t, conn: near, in: bufio.NewReader(near)}
}

func TestADatabaseThatHangs(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bubble) {
		letGo := b.rows.hang()
		defer letGo()
		asking, rival, beating := b.dial(), b.dial(), b.dial()
		token := asking.mark("1914")
		began := time.Now()
		asking.send(checking("1914", token), beat)
		require.True(t, beating.ask(beat).OK)
		assert.Zero(t, time.Since(began), "only who asks waits")
		assert.Equal(t, protocol.Unavailable, asking.next().Error)
		assert.Equal(t, confirmWithin, time.Since(began))
		assert.True(t, asking.next().OK, "what is behind it is answered after it")

		began = time.Now()
		assert.Equal(t, protocol.Unavailable, asking.ask(checking("1914", token)).Error)
		assert.Equal(t, protocol.Unavailable, rival.ask(`{"op":"mark","job":1914,"run":2}`).Error, "which run is newer is not known")
		assert.NotZero(t, rival.mark("2020"), "no mark waits that meets nobody")
		assert.Zero(t, time.Since(began), "once it is known, nobody waits")
		assert.Equal(t, watchdog.Connected, b.state("1914"))

		letGo()
		time.Sleep(askRetry)
		synctest.Wait()
		assert.Equal(t, "superseded", rival.ask(`{"op":"mark","job":1914,"run":2}`).Reason, "it is back")
		assert.True(t, asking.ask(checking("1914", token)).OK)
	})
}

func TestADatabaseThatFails(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bubble) {
		b.rows.fail(errors.New("connection refused"))
		k := b.dial()
		token := k.mark("1914")
		began := time.Now()
		for range 10 {
			assert.Equal(t, protocol.Unavailable, k.ask(checking("1914", token)).Error)
		}
		assert.Zero(t, time.Since(began))
		assert.Equal(t, watchdog.Connected, b.state("1914"), "that it cannot be asked takes nothing away")
		b.rows.fail(nil)
		time.Sleep(askRetry)
		synctest.Wait()
		assert.True(t, k.ask(checking("1914", token)).OK, "it is back")
	})
}

// TestNobodyWaitsForWhoDoesNotRead is about a peer to which a reply is being written.
func TestNobodyWaitsForWhoDoesNotRead(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bubble) {
		deaf, honest := b.dial(), b.dial()
		began := time.Now()
		deaf.send(beat)
		synctest.Wait()
		assert.True(t, honest.ask(beat).OK)
		assert.Zero(t, time.Since(began))
		assert.Equal(t, 2, b.sessions())
		time.Sleep(writeWithin + writeAnew)
		synctest.Wait()
		assert.Equal(t, 1, b.sessions(), "it is hung up on, and forgotten")
	})
}

func TestNobodyKeepsTheEndWaiting(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bubble) {
		defer b.rows.hang()()
		waiting, deaf := b.dial(), b.dial()
		waiting.send(checking("1914", waiting.mark("1914")))
		deaf.send(beat)
		synctest.Wait()
		began := time.Now()
		require.NoError(t, b.stop())
		assert.LessOrEqual(t, time.Since(began), confirmWithin, "who waits for the database has its answer by then")
	})
}

// TestMarksGoOnWhileAnotherReservesTokens has one that has reserved tokens not come to say so, as in a crowd: the others
// do not rely on it.
func TestMarksGoOnWhileAnotherReservesTokens(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bubble) {
		k := b.dial()
		k.mark("1914")
		b.Registry.mu.Lock()
		b.Registry.token = b.Registry.bound - 1
		b.Registry.mu.Unlock()
		_, err := b.State.Reserve(b.Registry.token)
		require.NoError(t, err)
		k.mark("1915")
		k.mark("1916")
	})
}

// TestMarksGoOnWhenTokensCanBeReservedAgain is about a disk that was full for so long that all tokens were given.
func TestMarksGoOnWhenTokensCanBeReservedAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *bubble) {
		b.Registry.mu.Lock()
		b.Registry.token = b.Registry.bound
		b.Registry.mu.Unlock()
		k := b.dial()
		require.Equal(t, protocol.Unavailable, k.ask(marking("1914")).Error)
		time.Sleep(lookEvery)
		synctest.Wait()
		assert.NotZero(t, k.mark("1914"))
	})
}
