package liveness

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

func TestMarkIsTheSameTokenForTheSameFinalization(t *testing.T) {
	w := newWorld(t)
	a, b, other := w.connect(1000), w.connect(1000), w.connect(2000)
	first := a.mark("1914", "2207", "t-7")
	require.Nil(t, first.Err)
	assert.Equal(t, first.Token, a.mark("1914", "2207", "t-7").Token)

	taken := a.mark("1914", "2207", "t-8")
	assert.Equal(t, protocol.Owned, taken.Err.Code, "two threads of one process are two owners")
	assert.Equal(t, "peer-1000", taken.Owner)
	assert.Equal(t, protocol.Owned, other.mark("1914", "2207", "t-7").Err.Code, "a key says nothing to another user")

	assert.Equal(t, first.Token, b.mark("1914", "2207", "t-7").Token, "it connected again before its hang-up was noticed")
	assert.Equal(t, "not-owner ", code(a.check("1914", first.Token)), "the token is good where it was marked last")
	assert.Equal(t, "ok", code(b.check("1914", first.Token)))
}

func TestMarkWithoutAKeyIsOfItsSessionAlone(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	token := a.mark("1914", "2207", "").Token
	assert.Equal(t, token, a.mark("1914", "2207", "").Token)
	assert.Equal(t, protocol.Owned, b.mark("1914", "2207", "").Err.Code)
}

func TestAnotherKeyIsGrantedOnceTheConnectionEnded(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	old := a.mark("1914", "2207", "a").Token
	w.pass(lease, b)
	assert.Equal(t, protocol.Owned, b.mark("1914", "2207", "b").Err.Code, "a stalled holder still stands")
	w.Hangup(a.Session, w.at)
	newer := b.mark("1914", "2207", "b")
	require.Nil(t, newer.Err)
	assert.Greater(t, newer.Token, old)

	again := w.connect(1000)
	assert.Equal(t, "revoked superseded", code(again.resume("1914", "2207", old)))
	require.Nil(t, b.clear("1914", newer.Token).Err)
	assert.Equal(t, "revoked superseded", code(again.resume("1914", "2207", old)), "also when the newer one is done")
}

func TestAnotherRunAsksTheDatabase(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	old := a.mark("1914", "2207", "").Token
	req := protocol.Request{Job: "1914", Run: "2208", Role: "finalizer"}
	_, done := w.Mark(b.Session, w.at, &req, nil)
	assert.False(t, done)

	reply, done := w.Mark(b.Session, w.at, &req, &Newest{"2207", w.at})
	assert.True(t, done)
	assert.Equal(t, "revoked superseded", code(reply), "the newest run is the holder's")

	reply, _ = w.Mark(b.Session, w.at, &req, &Newest{"2208", w.at})
	require.Nil(t, reply.Err)
	assert.Equal(t, []protocol.Event{{Job: "1914", Token: old, Reason: "superseded"}}, a.told)
	assert.Equal(t, "revoked superseded", code(a.check("1914", old)))
}

// TestAnAnswerThatIsOlderThanAMarkDecidesNothing is about a database that was asked on behalf of one mark when another,
// of a run that began meanwhile, came in between.
func TestAnAnswerThatIsOlderThanAMarkDecidesNothing(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.connect(1000), w.connect(1000), w.connect(1000)
	a.mark("1914", "2207", "")
	second := protocol.Request{Job: "1914", Run: "2208", Role: "finalizer"}
	_, done := w.Mark(b.Session, w.at, &second, nil)
	require.False(t, done)
	read := &Newest{"2208", w.at}
	w.pass(time.Second, a, b, c)
	third := protocol.Request{Job: "1914", Run: "2209", Role: "finalizer"}
	reply, _ := w.Mark(c.Session, w.at, &third, &Newest{"2209", w.at})
	require.Nil(t, reply.Err)

	_, done = w.Mark(b.Session, w.at, &second, read)
	assert.False(t, done, "to be asked again")
	assert.Empty(t, c.told)
}

func TestResume(t *testing.T) {
	w := newWorld(t)
	a, stranger := w.connect(1000), w.connect(2000)
	token := a.mark("1914", "2207", "").Token
	assert.Equal(t, "not-owner ", code(stranger.resume("1914", "2207", token)), "same user id only")
	assert.Equal(t, "bad-request ", code(a.resume("1914", "2208", token)), "the run is the marked one's")
	assert.Equal(t, "bad-request ", code(a.resume("1914", "2207", token+1)), "never given")

	w.Hangup(a.Session, w.at)
	w.pass(lease - time.Second)
	b := w.connect(1000)
	assert.Equal(t, token, b.resume("1914", "2207", token).Token)
	w.pass(lease, b)
	assert.Equal(t, watchdog.Connected, w.look("1914", "2207").Owner.State, "it hangs on the new session")
}

func TestResumeAfterARestartIsProvisional(t *testing.T) {
	w := newWorld(t)
	before := w.connect(1000)
	other, token := before.mark("1916", "2301", "").Token, before.mark("1914", "2207", "").Token
	w.Registry = w.registry(1<<20, 1<<21)
	a := w.connect(1000)
	require.Nil(t, a.resume("1914", "2207", token).Err)
	assert.Equal(t, watchdog.Connected, w.look("1914", "2207").Owner.State, "it defers at once")
	_, need := w.Check(a.Session, w.at, &protocol.Request{Job: "1914", Token: token})
	assert.True(t, need.Ask, "and promises nothing until it is confirmed")
	assert.Equal(t, "ok", code(a.check("1914", token)))

	b := w.connect(1000)
	fresh := b.mark("1915", "2300", "").Token
	assert.Greater(t, fresh, uint64(1<<20), "no token twice")

	c := w.connect(1000)
	require.Nil(t, c.resume("1916", "2301", other).Err)
	w.Observe(w.instant(), []watchdog.JobID{"1916"}, nil)
	assert.Equal(t, []protocol.Event{{Job: "1916", Token: other, Reason: "closed"}}, c.told)
	assert.Equal(t, "revoked closed", code(c.check("1916", other)))
}

func TestTheNewestOfTwoResumedTokensWins(t *testing.T) {
	w := newWorld(t)
	w.Registry = w.registry(100, 200)
	a, b := w.connect(1000), w.connect(1000)
	require.Nil(t, a.resume("1914", "2207", 41).Err)
	require.Nil(t, b.resume("1914", "2207", 42).Err)
	assert.Equal(t, uint64(41), a.told[0].Token)
	assert.Equal(t, "revoked superseded", code(a.resume("1914", "2207", 41)))
}

func TestClear(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	token := a.mark("1914", "2207", "").Token
	assert.Equal(t, "not-owner ", code(b.clear("1914", token)))
	assert.Equal(t, "ok", code(a.clear("1914", token)))
	assert.Equal(t, "ok", code(a.clear("1914", token)), "cleared before is cleared")
	assert.Equal(t, "not-owner ", code(a.clear("1914", token+1)), "what was never given is not")
	claim := w.look("1914", "2207")
	assert.Nil(t, claim.Owner)
	assert.Equal(t, w.at, claim.ClearedAt)
	assert.Zero(t, w.look("1914", "9999").ClearedAt, "of that run alone")
	w.pass(grace, a)
	assert.Empty(t, w.jobs, "nothing is kept that matters no more")
}

// TestLimits is about peers that own as much as they can. A user alone gets half of all, the next half of what is left.
func TestLimits(t *testing.T) {
	w := newWorld(t) // with room for 80
	w.cfg.Limits.PerSession = 30
	most := func(p *peer, want int) {
		t.Helper()
		for i := range want {
			require.Nil(t, p.mark(fmt.Sprintf("%d of %p", i, p), "1", "").Err, i)
		}
		assert.Equal(t, protocol.Overloaded, p.mark("more", "1", "").Err.Code)
	}
	a, b, other := w.connect(1000), w.connect(1000), w.connect(2000)
	most(a, 30)
	most(b, 10)
	most(other, 20)
	assert.Nil(t, w.connect(3000).mark("1914", "2207", "").Err, "there is room for others")
	assert.Equal(t, map[int]int{1000: 40, 2000: 20, 3000: 1}, w.shares)

	token := other.owned[slices.Min(slices.Collect(maps.Keys(other.owned)))].token
	require.Nil(t, other.clear(fmt.Sprintf("0 of %p", other), token).Err)
	for i := range 200 {
		reply := other.mark(fmt.Sprint(i), "1", "")
		require.Nil(t, reply.Err)
		require.Nil(t, other.clear(fmt.Sprint(i), reply.Token).Err)
	}
	assert.LessOrEqual(t, len(w.jobs), 80+40, "what nobody owns is remembered within bounds")
	w.Hangup(a.Session, w.at)
	w.Hangup(b.Session, w.at)
	w.pass(lease, other)
	assert.NotContains(t, w.shares, 1000)
}

func TestNoTokenBeyondWhatIsReserved(t *testing.T) {
	w := newWorld(t)
	w.Registry = w.registry(10, 11)
	a := w.connect(1000)
	assert.Equal(t, uint64(11), a.mark("1", "1", "").Token)
	assert.Equal(t, protocol.Unavailable, a.mark("2", "1", "").Err.Code)
	w.Extend(20)
	assert.Equal(t, uint64(12), a.mark("2", "1", "").Token)
}

// TestADeadOwnersTokenIsNotHandedOn is about a finalization that is done over, under its key, by another process: what the
// dead one still does it does under a token that is revoked.
func TestADeadOwnersTokenIsNotHandedOn(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	token := a.mark("1914", "2207", "t-7").Token
	w.Died(a.Session, w.at)
	assert.Greater(t, b.mark("1914", "2207", "t-7").Token, token)
	assert.Equal(t, "revoked superseded", code(b.check("1914", token)))
}

func TestWorkerAndFinalizerDoNotStandInEachOthersWay(t *testing.T) {
	w := newWorld(t)
	a := w.connect(1000)
	worker, _ := a.ask(protocol.Request{Job: "1914", Run: "2207", Role: "worker"})
	require.Nil(t, worker.Err)
	require.Equal(t, "ok", code(a.check("1914", worker.Token)))
	finalizer := a.mark("1914", "2207", "")
	require.Nil(t, finalizer.Err)
	assert.Equal(t, "ok", code(a.check("1914", finalizer.Token)))
	assert.Equal(t, 1, w.Count(w.at).Owned, "finalizers are counted")
	claim := w.look("1914", "2207")
	assert.Equal(t, watchdog.Worker, claim.Worker.Role)
	assert.Equal(t, watchdog.Finalizer, claim.Owner.Role)
}
