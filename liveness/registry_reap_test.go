package liveness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

func TestRevoke(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	token := a.mark("1914", "2207", "").Token
	require.Empty(t, w.Revoke(w.at, []watchdog.Judged{w.judged("1914", "2207")}))
	assert.Equal(t, []protocol.Event{{Job: "1914", Token: token, Reason: "backstop"}}, a.told)
	assert.Equal(t, "revoked reaping", code(a.check("1914", token)), "between the revocation and the outcome")
	assert.Equal(t, "revoked reaping", code(b.mark("1914", "2208", "")), "whatever the run")
	assert.Equal(t, "revoked reaping", code(b.resume("1914", "2207", token)))
	assert.True(t, w.look("1914", "2207").Reaping)
	assert.Equal(t, 1, w.seen.falseReaps, "it spoke again, once")

	w.Settle(w.at, []watchdog.JobID{"1914"})
	assert.Equal(t, "revoked backstop", code(a.check("1914", token)))
	assert.Equal(t, "revoked backstop", code(a.step("1914", token, 0)))
	assert.Equal(t, "revoked backstop", code(a.clear("1914", token)))
	assert.Equal(t, "revoked backstop", code(a.mark("1914", "2207", "afresh")), "that run is over")
	assert.Equal(t, 1, w.seen.falseReaps, "each counts once")
	assert.Nil(t, b.mark("1914", "2208", "").Err, "the next run is not")
	assert.Equal(t, 0, w.seen.releases["died"])
	assert.Equal(t, 1, w.seen.releases["revoked"])
}

func TestAJobWithoutAnOwnerIsRevokedToo(t *testing.T) {
	w := newWorld(t)
	require.Empty(t, w.Revoke(w.at, []watchdog.Judged{w.judged("1914", "2207")}))
	a := w.connect(1000)
	assert.Equal(t, "revoked reaping", code(a.mark("1914", "2207", "")))
	w.Settle(w.at, []watchdog.JobID{"1914"})
	assert.Equal(t, "revoked backstop", code(a.mark("1914", "2207", "")))
	w.pass(rememberFor, a)
	assert.Empty(t, w.jobs)
}

// TestEachRevocationIsToldByItself is about an owner of a run that the database does not hold, when the job is reaped.
func TestEachRevocationIsToldByItself(t *testing.T) {
	w := newWorld(t)
	a := w.connect(1000)
	a.mark("1914", "made up", "")
	require.Empty(t, w.Revoke(w.at, []watchdog.Judged{w.judged("1914", "2207")}))
	ended, unseen := w.Endings()
	assert.Equal(t, []Ending{{Job: "1914", Run: "made up", Name: "peer-1000", PID: 17, Reason: "backstop"}}, ended)
	assert.Zero(t, unseen.Count)
}

func TestWhatComesAfterTheJudgementWins(t *testing.T) {
	for name, c := range map[string]struct {
		before func(w *world, a *peer) // up to the judgement
		after  func(w *world, a *peer)
	}{
		"a first mark": {
			after: func(_ *world, a *peer) { a.mark("1914", "2207", "") },
		},
		"a beat that ends a stall": {
			before: func(w *world, a *peer) { a.mark("1914", "2207", ""); w.pass(lease) },
			after:  func(w *world, a *peer) { w.Touch(a.Session, w.at) },
		},
		"a step that ends a stall": {
			before: func(w *world, a *peer) {
				a.step("1914", a.mark("1914", "2207", "").Token, time.Second)
				w.pass(time.Second, a)
			},
			after: func(_ *world, a *peer) { a.step("1914", 2, 0) },
		},
		"a check": {
			before: func(_ *world, a *peer) { a.mark("1914", "2207", "") },
			after:  func(_ *world, a *peer) { a.check("1914", 2) },
		},
		"a longer hold": {
			before: func(_ *world, a *peer) { a.mark("1914", "2207", ""); a.check("1914", 2) },
			after:  func(w *world, a *peer) { w.at += time.Second; a.check("1914", 2) },
		},
		"a clear": {
			before: func(_ *world, a *peer) { a.mark("1914", "2207", "") },
			after:  func(_ *world, a *peer) { a.clear("1914", 2) },
		},
		"a resume": {
			before: func(w *world, a *peer) { a.mark("1914", "2207", ""); w.Hangup(a.Session, w.at) },
			after:  func(w *world, _ *peer) { w.connect(1000).resume("1914", "2207", 2) },
		},
		"a worker's mark": {
			after: func(_ *world, a *peer) { a.ask(protocol.Request{Job: "1914", Run: "2207", Role: "worker"}) },
		},
		"a death": {
			before: func(_ *world, a *peer) { a.mark("1914", "2207", "") },
			after:  func(w *world, a *peer) { w.Died(a.Session, w.at) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a, b := w.connect(1000), w.connect(1000)
			b.mark("1915", "2300", "")
			if c.before != nil {
				c.before(w, a)
			}
			judged := []watchdog.Judged{w.judged("1914", "2207"), w.judged("1915", "2300")}
			c.after(w, a)
			assert.Equal(t, []watchdog.JobID{"1914"}, w.Revoke(w.at, judged))
			assert.Empty(t, b.told, "all or none")
			assert.False(t, w.look("1915", "2300").Reaping)
			assert.Empty(t, w.Revoke(w.at, []watchdog.Judged{w.judged("1914", "2207")}), "judged anew it goes")
		})
	}
}

func TestABeatThatChangesNothingDoesNotWin(t *testing.T) {
	w := newWorld(t)
	a := w.connect(1000)
	a.mark("1914", "2207", "")
	judged := w.judged("1914", "2207")
	w.at += time.Second
	w.Touch(a.Session, w.at)
	assert.Empty(t, w.Revoke(w.at, []watchdog.Judged{judged}), "or an owner that talks without a pause would keep the backstop away")
}

func TestRevokeTakesWorkerAndFinalizer(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	a.mark("1914", "2207", "")
	b.ask(protocol.Request{Job: "1914", Run: "2207", Role: "worker"})
	w.Died(a.Session, w.at)
	require.Empty(t, w.Revoke(w.at, []watchdog.Judged{w.judged("1914", "2207")}))
	assert.Empty(t, a.told, "the dead are not told")
	assert.Len(t, b.told, 1)
	w.Settle(w.at, []watchdog.JobID{"1914"})
	assert.Equal(t, "revoked backstop", code(b.check("1914", 2)))
	assert.Equal(t, 1, w.seen.releases["died"])
}
