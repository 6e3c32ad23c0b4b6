package liveness

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// TestAFirstCheckRestsOnWhatWasReadForIt is about a check that was refused because the database was away: when that is back
// the job is asked about all the same.
func TestAFirstCheckRestsOnWhatWasReadForIt(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.rows.fail(errors.New("connection refused"))
	k := s.dial()
	token := k.mark("1914")
	require.Equal(t, protocol.Unavailable, k.ask(checking("1914", token)).Error)
	s.rows.fail(nil)
	s.eventually(func() bool {
		s.Registry.mu.Lock()
		defer s.Registry.mu.Unlock()
		return s.Registry.tokens[token].known
	}, "it was asked about")
	s.rows.run("1914", "2")
	assert.Equal(t, "revoked", k.ask(checking("1914", token)).Event, "it comes before the reply")
	assert.Equal(t, protocol.Revoked, k.next().Error)
}

// TestARowThatSomebodyHasLocked is about a first check just after the start, see Registry.Unsettled.
func TestARowThatSomebodyHasLocked(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.rows.lock("1914")
	k := s.dial()
	token, other := k.mark("1914"), k.mark("2020")
	assert.Equal(t, protocol.Unavailable, k.ask(checking("1914", token)).Error)
	assert.True(t, k.ask(checking("2020", other)).OK, "nobody has that locked")
	s.rows.lock("")
	assert.True(t, k.ask(checking("1914", token)).OK)
	s.rows.lock("1914")
	assert.True(t, k.ask(checking("1914", token)).OK, "asked once")
}

func TestANewerRunTakesTheJob(t *testing.T) {
	t.Parallel()
	s := serve(t)
	older, newer := s.dial(), s.dial()
	token := older.mark("1914")
	require.True(t, older.ask(checking("1914", token)).OK)
	require.True(t, older.ask(clearing("1914", token)).OK, "and with it the hold")
	token = older.mark("1914")
	s.rows.run("1914", "2")
	m := newer.ask(`{"op":"mark","job":1914,"run":2}`)
	require.True(t, m.OK, m)
	assert.Greater(t, m.Token, token)
	event := older.next()
	assert.Equal(t, "revoked", event.Event)
	assert.Equal(t, token, event.Token)
	assert.Contains(t, []string{"superseded", "closed"}, event.Reason, "by the mark, or by the answer that it waited for")
	assert.True(t, newer.ask(checking("1914", m.Token)).OK)
}

// TestAClearEndsTheHoldInTheFile is about a watchdog that is started anew after its owner has let go of the job.
func TestAClearEndsTheHoldInTheFile(t *testing.T) {
	t.Parallel()
	s := serve(t)
	k := s.dial()
	token := k.mark("1914")
	require.True(t, k.ask(checking("1914", token)).OK)
	written := func() []Hold {
		found, err := readState(s.path+".state", "boot", s.boot())
		require.NoError(t, err)
		return found.Holds
	}
	require.Len(t, written(), 1)
	require.True(t, k.ask(clearing("1914", token)).OK)
	assert.Empty(t, written())
}

// TestNotEachCheckIsWrittenDown is about a finalizer that checks before each of many small steps.
func TestNotEachCheckIsWrittenDown(t *testing.T) {
	t.Parallel()
	s := serve(t)
	k := s.dial()
	token := k.mark("1914")
	for range 100 {
		require.True(t, k.ask(checking("1914", token)).OK)
	}
	s.State.mu.Lock()
	defer s.State.mu.Unlock()
	assert.LessOrEqual(t, s.State.lines, 3, "one in a hold's time")
}

// TestTheStateFile is about promises that cannot be written down.
func TestTheStateFile(t *testing.T) {
	t.Parallel()
	s := serve(t)
	k := s.dial()
	token := k.mark("1914")
	require.NoError(t, s.State.file.Close())
	assert.Equal(t, protocol.Unavailable, k.ask(checking("1914", token)).Error, "a hold that would not outlive the watchdog")
	assert.NotZero(t, k.mark("2020"), "tokens are in store")
	s.eventually(func() bool { return k.ask(checking("1914", token)).OK }, "the file is written anew")
}
