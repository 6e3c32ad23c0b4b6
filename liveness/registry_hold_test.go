package liveness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

func TestFirstCheckAsksTheDatabase(t *testing.T) {
	w := newWorld(t)
	a := w.connect(1000)
	token := a.mark("1914", "2207", "").Token
	check := protocol.Request{Job: "1914", Token: token}
	w.pass(5*time.Second, a)
	_, need := w.Check(a.Session, w.at, &check)
	require.True(t, need.Ask)
	assert.Zero(t, w.look("1914", "2207").HoldUntil, "nothing is promised before it is confirmed")

	before := w.instant().Add(-time.Second)
	w.Observe(before, []watchdog.JobID{"1914"}, []watchdog.Job{w.row("1914", "2207")})
	_, need = w.Check(a.Session, w.at, &check)
	assert.True(t, need.Ask, "rows read before the check do not answer it")

	w.Observe(w.instant(), []watchdog.JobID{"1914"}, []watchdog.Job{w.row("1914", "2207")})
	reply, need := w.Check(a.Session, w.at, &check)
	assert.Equal(t, "ok", code(reply))
	assert.Equal(t, holds, reply.Hold)
	assert.True(t, need.Keep)
	assert.Equal(t, w.at+holds, w.look("1914", "2207").HoldUntil)
	w.Kept(need, need.Until+holds)

	w.at += holds - time.Second
	w.Touch(a.Session, w.at)
	_, need = w.Check(a.Session, w.at, &check)
	assert.False(t, need.Keep, "the file knows of a longer one")
	w.at += 2 * time.Second
	_, need = w.Check(a.Session, w.at, &check)
	assert.True(t, need.Keep)
}

// TestAConfirmationIsForTheCheckThatWaitedForIt is about one that comes when its check was refused already: the next may
// be much later.
func TestAConfirmationIsForTheCheckThatWaitedForIt(t *testing.T) {
	for name, forgoes := range map[string]func(w *world, need Promise, confirm func()){
		"it comes after": func(w *world, need Promise, confirm func()) { w.Forgo(need); confirm() },
		"just before":    func(w *world, need Promise, confirm func()) { confirm(); w.Forgo(need) },
	} {
		w := newWorld(t)
		a := w.connect(1000)
		check := protocol.Request{Job: "1914", Token: a.mark("1914", "2207", "").Token}
		_, need := w.Check(a.Session, w.at, &check)
		require.True(t, need.Ask)
		forgoes(w, need, func() { w.Observe(w.instant(), []watchdog.JobID{"1914"}, []watchdog.Job{w.row("1914", "2207")}) })
		_, need = w.Check(a.Session, w.at, &check)
		assert.True(t, need.Ask, name)
		assert.Equal(t, "ok", code(a.check("1914", check.Token)))
	}
}

func TestHoldIsAtMostTheSetting(t *testing.T) {
	w := newWorld(t)
	a := w.connect(1000)
	token := a.mark("1914", "2207", "").Token
	require.Equal(t, "ok", code(a.check("1914", token)))
	for asked, want := range map[time.Duration]time.Duration{time.Second: time.Second, time.Hour: holds} {
		reply, _ := w.Check(a.Session, w.at, &protocol.Request{Job: "1914", Token: token, Hold: asked})
		assert.Equal(t, want, reply.Hold)
	}
	assert.Equal(t, w.at+holds, w.look("1914", "2207").HoldUntil, "a shorter one takes nothing back")
}

func TestHoldOutlivesItsHolder(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	token := a.mark("1914", "2207", "a").Token
	require.Equal(t, "ok", code(a.check("1914", token)))
	w.Died(a.Session, w.at)
	assert.Equal(t, protocol.Owned, b.mark("1914", "2207", "b").Err.Code, "its children may still be pushing")
	reply, _ := w.Mark(b.Session, w.at, &protocol.Request{Job: "1914", Run: "2208", Role: "finalizer"}, &Newest{"2208", w.at})
	assert.Equal(t, protocol.Owned, reply.Err.Code, "also for a newer run")
	w.pass(holds, b)
	assert.Nil(t, b.mark("1914", "2207", "b").Err)
}

func TestClearEndsTheHold(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	token := a.mark("1914", "2207", "a").Token
	require.Equal(t, "ok", code(a.check("1914", token)))
	reply, kept := w.Clear(a.Session, w.at, &protocol.Request{Job: "1914", Token: token})
	require.Nil(t, reply.Err)
	assert.Equal(t, &Hold{Job: "1914", Token: token, Role: watchdog.Finalizer}, kept, "in the state file too")
	assert.Zero(t, w.look("1914", "2207").HoldUntil)
	assert.Nil(t, b.mark("1914", "2207", "b").Err)
}

func TestHoldOutlivesTheWatchdog(t *testing.T) {
	w := newWorld(t)
	a := w.connect(1000)
	token := a.mark("1914", "2207", "a").Token
	require.Equal(t, "ok", code(a.check("1914", token)))
	kept := w.Holds(w.at)
	require.Len(t, kept, 1)
	assert.GreaterOrEqual(t, kept[0].Until, w.at+holds)

	w.Registry = w.registry(1<<20, 1<<21)
	w.Restore(kept, 0)
	assert.Equal(t, kept[0].Until, w.look("1914", "2207").HoldUntil)
	b, again := w.connect(1000), w.connect(1000)
	assert.Equal(t, protocol.Owned, b.mark("1914", "2207", "b").Err.Code)
	require.Nil(t, again.resume("1914", "2207", token).Err, "its holder comes back to it")
	assert.Equal(t, "ok", code(again.check("1914", token)))
	w.pass(3*holds, b, again)
	assert.Zero(t, w.look("1914", "2207").HoldUntil)
}

func TestNoCheckPassesInAnothersHold(t *testing.T) {
	w := newWorld(t)
	w.Registry = w.registry(100, 200)
	w.Restore([]Hold{{Job: "1914", Token: 41, Role: watchdog.Finalizer, Until: w.at + holds}}, 0)
	a := w.connect(1000)
	require.Nil(t, a.resume("1914", "2207", 42).Err)
	assert.Equal(t, "unavailable ", code(a.check("1914", 42)))
	w.pass(holds, a)
	assert.Equal(t, "ok", code(a.check("1914", 42)))
}

func TestHoldsThatCouldNotBeReadHoldEverything(t *testing.T) {
	w := newWorld(t)
	w.Restore(nil, w.at+holds)
	assert.Equal(t, w.at+holds, w.look("1914", "2207").HoldUntil)
	a := w.connect(1000)
	token := a.mark("1914", "2207", "").Token
	assert.Equal(t, w.at+holds, w.look("1914", "2207").HoldUntil)
	assert.Equal(t, "unavailable ", code(a.check("1914", token)), "somebody else may be in a hold")
	w.pass(holds, a)
	assert.Zero(t, w.look("1914", "2207").HoldUntil)
	assert.Equal(t, "ok", code(a.check("1914", token)))
}

func TestNoHoldWithTheSwitchOffOrPastTheCeiling(t *testing.T) {
	w := newWorld(t)
	a := w.connect(1000)
	token := a.mark("1914", "2207", "").Token
	w.enabled = false
	assert.Equal(t, "unavailable ", code(a.check("1914", token)))
	w.enabled = true
	old := w.row("1914", "2207")
	old.StartedAt = epoch.Add(w.at - 2*time.Hour + 10*time.Second)
	w.Look(w.instant(), []watchdog.Job{old})
	w.pass(10*time.Second, a)
	reply, need := w.Check(a.Session, w.at, &protocol.Request{Job: "1914", Token: token})
	assert.Equal(t, "unavailable ", code(reply))
	assert.Equal(t, Promise{}, need)
}

// TestAFarBackstop is about rows of years that no clock of ours can count to.
func TestAFarBackstop(t *testing.T) {
	for year, want := range map[int]string{9000: "ok", 1600: "unavailable "} {
		w := newWorld(t)
		a := w.connect(1000)
		token := a.mark("1914", "2207", "").Token
		far := w.row("1914", "2207")
		far.StartedAt = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		check := protocol.Request{Job: "1914", Token: token}
		_, _ = w.Check(a.Session, w.at, &check)
		w.Observe(w.instant(), []watchdog.JobID{"1914"}, []watchdog.Job{far})
		reply, _ := w.Check(a.Session, w.at, &check)
		assert.Equal(t, want, code(reply), "year %d", year)
	}
}

func TestObserve(t *testing.T) {
	w := newWorld(t)
	a := w.connect(1000)
	token := a.mark("1914", "2207", "").Token
	asked := []watchdog.JobID{"1914"}

	w.Observe(w.instant().Add(-time.Second), asked, nil)
	assert.Empty(t, a.told, "rows read before the mark say nothing of it")

	row := w.row("1914", "2207")
	row.Stage = "deploy"
	w.Observe(w.instant(), asked, []watchdog.Job{row})
	assert.False(t, w.Look(w.instant(), []watchdog.Job{row})[0].Owner.Guarded)
	w.Observe(w.instant(), asked, []watchdog.Job{w.row("1914", "2207")})
	assert.True(t, w.Look(w.instant(), []watchdog.Job{row})[0].Owner.Guarded, "latched: the finalizer may move the task on")

	for name, rows := range map[string][]watchdog.Job{"gone": nil, "another run": {w.row("1914", "2208")},
		"closed": {{ID: "1914", Run: "2207", Status: watchdog.StatusDone}}} {
		t.Run(name, func(t *testing.T) {
			token = a.mark("1914", "2207", "").Token
			a.told = nil
			w.Observe(w.instant(), asked, rows)
			assert.Equal(t, []protocol.Event{{Job: "1914", Token: token, Reason: "closed"}}, a.told)
			assert.Equal(t, "revoked closed", code(a.check("1914", token)))
		})
	}
	ended, unseen := w.Endings()
	assert.Equal(t, Ending{Job: "1914", Run: "2207", Name: "peer-1000", PID: 17, Reason: "closed"}, ended[0])
	assert.Len(t, ended, 1)
	assert.Equal(t, Unseen{Count: 2, Last: ended[0]}, unseen, "made up, as far as is known")
	ended, unseen = w.Endings()
	assert.Empty(t, ended, "each is told once")
	assert.Empty(t, unseen)
}

// TestTheGraceOfTheSilentCountsFromTheirLease is about a finalizer that went away without a word and without a proof.
func TestTheGraceOfTheSilentCountsFromTheirLease(t *testing.T) {
	w := newWorld(t)
	a, other := w.connect(1000), w.connect(2000)
	require.Nil(t, a.mark("1914", "2207", "").Err)
	worker, _ := a.ask(protocol.Request{Job: "2020", Run: "1", Role: "worker"})
	require.Nil(t, worker.Err)
	w.observed("1914", "2207")
	w.Hangup(a.Session, w.at)
	lapsed := w.at + lease
	w.pass(lease-1, other)
	assert.Zero(t, w.look("1914", "2207").ClearedAt)
	w.at++
	before := w.look("1914", "2207")
	assert.Nil(t, before.Owner)
	assert.Equal(t, lapsed, before.ClearedAt)
	w.pass(time.Second, other)
	assert.True(t, before.Same(w.look("1914", "2207")), "to be swept changes nothing")
	assert.Zero(t, w.look("1914", "2208").ClearedAt)
	assert.Zero(t, w.look("2020", "1").ClearedAt, "a worker lets go of nothing")

	require.Nil(t, other.mark("1914", "made up", "").Err)
	w.Hangup(other.Session, w.at)
	w.pass(2 * lease)
	assert.Equal(t, lapsed, w.look("1914", "2207").ClearedAt, "what nobody has seen takes no place")
	w.pass(grace)
	assert.Empty(t, w.jobs)
}

func TestManyWithdrawalsOfOneJobAreBounded(t *testing.T) {
	w := newWorld(t)
	a := w.connect(1000)
	var last uint64
	for range 100 {
		last = a.mark("1914", "2207", "").Token
		w.Observe(w.instant(), []watchdog.JobID{"1914"}, nil)
	}
	assert.LessOrEqual(t, len(w.jobs["1914"].revoked), most)
	assert.Equal(t, "revoked closed", code(a.check("1914", last)))
}
