package liveness

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// TestATokenNamesOneOwnership is about who resumes a token for what it was not given.
func TestATokenNamesOneOwnership(t *testing.T) {
	w := newWorld(t)
	a, liar := w.connect(1000), w.connect(2000)
	token := a.mark("1914", "2207", "").Token
	for _, p := range []*peer{a, liar} {
		for _, r := range []protocol.Request{
			{Job: "1915", Run: "2207"}, {Job: "1914", Run: "2208"}, {Job: "1914", Run: "2207", Role: "worker"},
		} {
			r.Token = token
			reply, _ := p.ask(r)
			assert.NotNil(t, reply.Err, "uid %d, %+v", p.peer.UID, r)
		}
	}
	assert.Equal(t, "ok", code(a.check("1914", token)))
	assert.Equal(t, 1, w.total)
}

// TestTheLimitOfASessionHoldsForOneTokenToo is about a peer that resumes one token for every job there is, after a
// restart, when no token is known.
func TestTheLimitOfASessionHoldsForOneTokenToo(t *testing.T) {
	w := newWorld(t)
	w.Registry = w.registry(100, 200)
	liar := w.connect(2000)
	for job := range 200 {
		liar.resume(fmt.Sprint(job), "1", 42)
	}
	assert.Equal(t, 1, w.total)
	w.Hangup(liar.Session, w.at)
	w.pass(2 * lease)
	assert.Zero(t, w.total, "what nobody owns any more is not kept")
	assert.Equal(t, "ok", code(w.connect(1000).mark("1914", "2207", "")))
}

// TestAHoldIsItsHoldersAlsoAfterTheOwnershipEnded is about a stranger who knows the holder's token.
func TestAHoldIsItsHoldersAlsoAfterTheOwnershipEnded(t *testing.T) {
	w := newWorld(t)
	a := w.connect(1000)
	token := a.mark("1914", "2207", "").Token
	require.Equal(t, "ok", code(a.check("1914", token)))
	kept := w.Holds(w.at)
	lost := func() { // its session ended, and with it the ownership; its hold runs
		w.Hangup(a.Session, w.at)
		w.pass(lease)
	}
	restarted := func() {
		w.Registry = w.registry(token, 1<<20)
		w.Restore(kept, 0)
	}
	for name, ends := range map[string]func(){"lost": lost, "restarted": restarted} {
		ends()
		stranger := w.connect(2000)
		assert.Equal(t, protocol.NotOwner, stranger.resume("1914", "2207", token).Err.Code, name)
		stranger.clear("1914", token)
		assert.NotZero(t, w.look("1914", "2207").HoldUntil, name)
	}
}
