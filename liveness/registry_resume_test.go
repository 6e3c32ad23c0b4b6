package liveness

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
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
	assert.Len(t, w.tokens, 1)
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
	assert.Len(t, w.tokens, 1)
	w.Hangup(liar.Session, w.at)
	w.pass(2 * lease)
	assert.Empty(t, w.tokens, "what nobody owns any more is not kept")
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
		if name == "restarted" {
			elsewhere, _ := stranger.ask(protocol.Request{Job: "1914", Run: "2207", Role: "worker", Token: token})
			assert.Equal(t, protocol.NotOwner, elsewhere.Err.Code)
			assert.Equal(t, protocol.NotOwner, stranger.resume("2020", "1", token).Err.Code)
			assert.Nil(t, w.connect(1000).resume("1914", "2207", token).Err, "its holder comes back to it")
		}
		assert.NotZero(t, w.look("1914", "2207").HoldUntil, name)
	}
}

// TestWhatLayUnreadTakesNothingBack is about an owner that gave its connection up while the watchdog stood still, and
// connected again: the watchdog may read the new connection first, and the marks on the old one last.
func TestWhatLayUnreadTakesNothingBack(t *testing.T) {
	w := newWorld(t)
	old, lives := w.connect(1000), w.connect(1000)
	token := lives.mark("1914", "2207", "t-7").Token
	assert.Equal(t, protocol.Owned, old.mark("1914", "2207", "t-7").Err.Code)
	assert.Equal(t, protocol.Owned, old.resume("1914", "2207", token).Err.Code)
	w.Hangup(old.Session, w.at)
	w.pass(2*lease, lives)
	assert.Equal(t, watchdog.Connected, w.look("1914", "2207").Owner.State)
	assert.Equal(t, "ok", code(lives.check("1914", token)))

	older := w.connect(1000)
	w.Hangup(lives.Session, w.at)
	assert.Equal(t, token, older.mark("1914", "2207", "t-7").Token, "and whoever hung up is left behind by anyone")
}

// TestWhoWasStoppedHasTheTimeToConnectAgain is about a process that goes on after its lease has lapsed, and whose
// client gives the old connection up.
func TestWhoWasStoppedHasTheTimeToConnectAgain(t *testing.T) {
	w := newWorld(t)
	a, other := w.connect(1000), w.connect(1000)
	a.mark("1914", "2207", "t-7")
	w.pass(3*lease, other)
	require.Equal(t, watchdog.Stalled, w.look("1914", "2207").Owner.State)
	w.Hangup(a.Session, w.at)
	w.pass(lease-time.Second, other)
	assert.Equal(t, watchdog.Reconnecting, w.look("1914", "2207").Owner.State)
	w.pass(time.Second, other)
	assert.Nil(t, w.look("1914", "2207").Owner)
}

// TestASupersededTokenIsNeverGoodAgain is about a token whose successor, and all that was known of the job, is forgotten.
func TestASupersededTokenIsNeverGoodAgain(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	old := a.mark("1914", "2207", "a").Token
	w.Hangup(a.Session, w.at)
	require.Nil(t, b.clear("1914", b.mark("1914", "2207", "b").Token).Err)
	w.flood(b)
	require.NotContains(t, w.jobs, watchdog.JobID("1914"))
	again := w.connect(1000)
	assert.Equal(t, "not-owner ", code(again.resume("1914", "2207", old)))
	_, _ = b.ask(protocol.Request{Job: "1914", Run: "2207", Role: "worker"})
	assert.Equal(t, "not-owner ", code(again.resume("1914", "2207", old)), "what is known of its worker says nothing")
	assert.Greater(t, again.mark("1914", "2207", "a").Token, old)

	w.Registry = w.registry(100, 1<<20)
	a, b = w.connect(1000), w.connect(1000)
	require.Nil(t, a.resume("1914", "2207", 41).Err)
	require.Nil(t, b.resume("1914", "2207", 42).Err)
	w.observed("1914", "2207")
	require.Nil(t, b.clear("1914", 42).Err)
	w.flood(b)
	assert.Equal(t, "revoked superseded", code(a.resume("1914", "2207", 41)))
	w.pass(25*time.Hour, a)
	require.Empty(t, w.jobs)
	assert.Equal(t, "not-owner ", code(a.resume("1914", "2207", 41)))
}

// TestATokenOfAnotherWatchdogIsBelievedForAWhile is about owners that come back late after a restart.
func TestATokenOfAnotherWatchdogIsBelievedForAWhile(t *testing.T) {
	w := newWorld(t)
	w.Registry = w.registry(100, 200)
	w.Restore([]Hold{{Job: "1915", Token: 42, Role: watchdog.Finalizer, UID: 1000, Until: w.at + holds}}, 0)
	a := w.connect(1000)
	assert.Equal(t, "revoked superseded", code(a.resume("1915", "2208", 41)), "a newer token was held")
	w.pass(grace-1, a)
	assert.Equal(t, "ok", code(a.resume("1914", "2207", 40)))
	w.at++
	assert.Equal(t, "not-owner ", code(a.resume("2020", "1", 43)))
	assert.Equal(t, "ok", code(a.mark("2020", "1", "")))
	assert.Equal(t, "ok", code(a.resume("1914", "2207", 40)), "that is known now")
}

// TestTheFirstCheckUnderAResumedTokenAsksTheDatabase is about a job that was run again between the comparison that
// follows each resumption, and the first check.
func TestTheFirstCheckUnderAResumedTokenAsksTheDatabase(t *testing.T) {
	w := newWorld(t)
	w.Registry = w.registry(100, 200)
	a := w.connect(1000)
	require.Nil(t, a.resume("1914", "2207", 42).Err)
	w.Observe(w.instant(), []watchdog.JobID{"1914"}, []watchdog.Job{w.row("1914", "2207")})
	w.pass(time.Second, a)
	_, need := w.Check(a.Session, w.at, &protocol.Request{Job: "1914", Token: 42})
	assert.True(t, need.Ask)
	w.Observe(w.instant(), []watchdog.JobID{"1914"}, []watchdog.Job{w.row("1914", "2208")})
	assert.Equal(t, "revoked closed", code(a.check("1914", 42)))
}

// TestTheGuardOutlivesTheWatchdog is about a finalizer that has moved its task on when the watchdog is started anew: no
// row tells any more that it began in a guarded stage.
func TestTheGuardOutlivesTheWatchdog(t *testing.T) {
	for told, guarded := range map[string]bool{"deploy-staging": true, "": true, "review": false} {
		w := newWorld(t)
		a := w.connect(1000)
		mark := protocol.Request{Job: "1914", Run: "2207", Stage: told}
		granted, _ := a.ask(mark)
		moved := w.row("1914", "2207")
		moved.Stage = "deploy"
		look := func() *watchdog.Owner { return w.Look(w.instant(), []watchdog.Job{moved})[0].Owner }
		require.False(t, look().Guarded, "the row has the word: %q", told)
		w.observed("1914", "2207")
		require.True(t, look().Guarded, "latched")

		w.Registry = w.registry(1<<20, 1<<21)
		mark.Token = granted.Token
		resumed, _ := w.connect(1000).ask(mark)
		require.Nil(t, resumed.Err)
		assert.Equal(t, guarded, look().Guarded, "told %q", told)
	}
}

// TestNoHoldIsPromisedIntoAReapThatIsUnderWay is about a watchdog that died while its commit was on the way: until that
// has taken place rows that are read show the job open.
func TestNoHoldIsPromisedIntoAReapThatIsUnderWay(t *testing.T) {
	w := newWorld(t)
	seasoned := w.connect(1000)
	token := seasoned.mark("2020", "1", "").Token
	_, need := w.Check(seasoned.Session, w.at, &protocol.Request{Job: "2020", Token: token})
	require.True(t, need.Ask)
	assert.Empty(t, w.Unsettled([]watchdog.JobID{"2020"}), "nothing of another watchdog's can be left")

	w.Registry = w.registry(100, 200)
	a, b := w.connect(1000), w.connect(1000)
	w.at += commitsArriveIn - 1
	require.Nil(t, a.resume("1914", "2207", 42).Err)
	token = b.mark("1915", "2208", "").Token
	asked := []watchdog.JobID{"1913", "1914", "1915"}
	assert.Empty(t, w.Unsettled(asked), "nobody waits for it")
	for p, check := range map[*peer]protocol.Request{a: {Job: "1914", Token: 42}, b: {Job: "1915", Token: token}} {
		_, need = w.Check(p.Session, w.at, &check)
		require.True(t, need.Ask)
	}
	assert.Equal(t, asked[1:], w.Unsettled(asked))

	rows := []watchdog.Job{w.row("1914", "2207"), w.row("1915", "2208")}
	w.Observe(w.instant(), asked, rows)
	w.Settled([]watchdog.JobID{"1915"})
	_, need = w.Check(a.Session, w.at, &protocol.Request{Job: "1914", Token: 42})
	assert.True(t, need.Ask)
	w.Observe(w.instant(), asked, rows)
	_, need = w.Check(a.Session, w.at, &protocol.Request{Job: "1914", Token: 42})
	assert.True(t, need.Ask, "its row is locked")
	reply, _ := w.Check(b.Session, w.at, &protocol.Request{Job: "1915", Token: token})
	assert.Equal(t, holds, reply.Hold)

	w.Settled(w.Unsettled(asked))
	w.Observe(w.instant(), asked, []watchdog.Job{{ID: "1914", Run: "2207", Status: watchdog.StatusQueued}})
	assert.Equal(t, "revoked closed", code(a.check("1914", 42)))
}

// TestATokenThatNobodyKnowsTakesNoHold is about a newer token that is named after a restart while the holder of an
// older one is back already.
func TestATokenThatNobodyKnowsTakesNoHold(t *testing.T) {
	w := newWorld(t)
	w.Registry = w.registry(100, 200)
	a, newer, stranger := w.connect(1000), w.connect(1000), w.connect(2000)
	require.Nil(t, a.resume("1914", "2207", 41).Err)
	require.Equal(t, "ok", code(a.check("1914", 41)))
	assert.Equal(t, protocol.Unavailable, newer.resume("1914", "2207", 42).Err.Code, "not while it is held")
	assert.Empty(t, a.told)

	w.pass(holds, a, newer, stranger)
	assert.Equal(t, protocol.Owned, stranger.resume("1914", "2207", 43).Err.Code, "nor ever from another user")
	require.Nil(t, newer.resume("1914", "2207", 42).Err)
	assert.Equal(t, []protocol.Event{{Job: "1914", Token: 41, Reason: "superseded"}}, a.told)
}

// TestBetweenRunsTheDatabaseDecides is about a finalizer of an older run that marks for the first time just after a
// start, before the owner is back: its token is the newer.
func TestBetweenRunsTheDatabaseDecides(t *testing.T) {
	resume := protocol.Request{Job: "1914", Run: "2208", Token: 42, Role: "finalizer"}
	started := func() (w *world, late, owner *peer) {
		w = newWorld(t)
		w.Registry = w.registry(100, 200)
		late, owner = w.connect(1000), w.connect(1000)
		require.EqualValues(t, 101, late.mark("1914", "2207", "").Token)
		return w, late, owner
	}
	w, late, owner := started()
	_, done := owner.ask(resume)
	assert.False(t, done, "the late one owns the job")
	reply, _ := w.Mark(owner.Session, w.at, &resume, &Newest{"2208", w.at})
	require.Nil(t, reply.Err)
	assert.Equal(t, "superseded", late.told[0].Reason)
	assert.Equal(t, "revoked superseded", code(owner.resume("1914", "2208", 41)), "an older token of that run")

	w, _, owner = started()
	reply, _ = w.Mark(owner.Session, w.at, &resume, &Newest{"2207", w.at})
	assert.Equal(t, "revoked superseded", code(reply), "it is the owner whose run is over")

	w, _, owner = started()
	w.Observe(w.instant(), []watchdog.JobID{"1914"}, []watchdog.Job{w.row("1914", "2208")})
	assert.Nil(t, owner.resume("1914", "2208", 42).Err, "the late one has been closed")

	w, late, owner = started()
	w.Died(late.Session, w.at)
	_, done = owner.ask(resume)
	assert.False(t, done, "a death is not to be forgotten for a run that may be over")
}
