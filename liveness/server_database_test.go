package liveness

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

func TestADatabaseThatHangs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	letGo := s.rows.hang()
	t.Cleanup(letGo)
	asking, rival, beating := s.dial(), s.dial(), s.dial()
	token := asking.mark("1914")
	began := time.Now()
	asking.send(checking("1914", token), beat)
	for time.Since(began) < confirmWithin/2 {
		asked := time.Now()
		require.True(t, beating.ask(beat).OK)
		require.Less(t, time.Since(asked), confirmWithin/2, "only who asks waits")
	}
	assert.True(t, asking.silent())
	assert.Equal(t, protocol.Unavailable, asking.next().Error)
	assert.GreaterOrEqual(t, time.Since(began), confirmWithin)
	assert.True(t, asking.next().OK, "what is behind it is answered after it")

	began = time.Now()
	assert.Equal(t, protocol.Unavailable, asking.ask(checking("1914", token)).Error)
	assert.Equal(t, protocol.Unavailable, rival.ask(`{"op":"mark","job":1914,"run":2}`).Error, "which run is newer is not known")
	assert.NotZero(t, rival.mark("2020"), "no mark waits that meets nobody")
	assert.Less(t, time.Since(began), confirmWithin/2, "once it is known, nobody waits")
	assert.Equal(t, watchdog.Connected, s.state("1914"))

	letGo()
	s.eventually(func() bool { return rival.ask(`{"op":"mark","job":1914,"run":2}`).Reason == "superseded" }, "it is back")
	assert.True(t, asking.ask(checking("1914", token)).OK)
}

func TestADatabaseThatFails(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.rows.fail(errors.New("connection refused"))
	k := s.dial()
	token := k.mark("1914")
	began := time.Now()
	for range 10 {
		assert.Equal(t, protocol.Unavailable, k.ask(checking("1914", token)).Error)
	}
	assert.Less(t, time.Since(began), confirmWithin)
	assert.Equal(t, watchdog.Connected, s.state("1914"), "that it cannot be asked takes nothing away")
	s.rows.fail(nil)
	s.eventually(func() bool { return k.ask(checking("1914", token)).OK }, "it is back")
}

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
