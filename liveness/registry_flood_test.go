package liveness

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
)

// flood marks and clears as many jobs as would push out all that is remembered, several times over.
func (w *world) flood(p *peer) {
	for i := range 10 * w.cfg.Limits.Remembered {
		job := fmt.Sprint("made up ", i)
		reply := p.mark(job, "1", "")
		require.Nil(w.t, reply.Err)
		require.Nil(w.t, p.clear(job, reply.Token).Err)
	}
}

// observed lets the database be asked about a job, which it holds open.
func (w *world) observed(job, run string) {
	w.Observe(w.instant(), []watchdog.JobID{watchdog.JobID(job)}, []watchdog.Job{w.row(job, run)})
}

func TestAFloodOfMarksDoesNotPushOutAHold(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	token := a.mark("1914", "2207", "a").Token
	require.Equal(t, "ok", code(a.check("1914", token)))
	until := w.look("1914", "2207").HoldUntil
	w.Hangup(a.Session, w.at)
	w.pass(lease, b)
	require.Nil(t, w.look("1914", "2207").Owner, "it is lost, its hold runs")

	w.flood(b)
	assert.Equal(t, until, w.look("1914", "2207").HoldUntil)
	assert.Equal(t, "owned ", code(b.mark("1914", "2207", "b")), "what it does inside its hold it does alone")
	w.pass(holds, b)
	assert.Equal(t, "ok", code(b.mark("1914", "2207", "b")))
}

func TestAFloodOfMarksDoesNotPushOutAReap(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	token := a.mark("1914", "2207", "a").Token
	require.Empty(t, w.Revoke(w.at, []watchdog.Judged{w.judged("1914", "2207")}))
	w.Settle(w.at, []watchdog.JobID{"1914"})

	w.flood(b)
	assert.Equal(t, "revoked backstop", code(b.mark("1914", "2207", "b")))
	assert.Equal(t, "revoked backstop", code(a.check("1914", token)))
	assert.Equal(t, 1, w.seen.falseReaps)
}

func TestAFloodOfMarksDoesNotPushOutAnHonestClear(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	token := a.mark("1914", "2207", "a").Token
	w.observed("1914", "2207")
	require.Equal(t, "ok", code(a.clear("1914", token)))
	cleared := w.look("1914", "2207").ClearedAt

	w.flood(b)
	assert.Equal(t, cleared, w.look("1914", "2207").ClearedAt)

	w.pass(time.Second, a, b)
	require.Nil(t, a.clear("1914", a.mark("1914", "2207", "").Token).Err)
	assert.Equal(t, w.at, w.look("1914", "2207").ClearedAt, "one of the same run does, before it was seen too")
	assert.LessOrEqual(t, len(w.jobs), 1+w.cfg.Limits.Remembered)
	w.pass(grace, a, b)
	assert.Empty(t, w.jobs, "and is forgotten all the same")
}

// TestReapsAreRememberedWithinBounds is about a database in which everything is reaped, for a day.
func TestReapsAreRememberedWithinBounds(t *testing.T) {
	w := newWorld(t)
	for i := range 10 * w.cfg.Limits.Remembered {
		job := fmt.Sprint(i)
		require.Empty(t, w.Revoke(w.at, []watchdog.Judged{w.judged(job, "1")}))
		w.Settle(w.at, []watchdog.JobID{watchdog.JobID(job)})
	}
	assert.Len(t, w.jobs, w.cfg.Limits.Remembered)
}

// TestWhatAPeerMadeUpDiesLast is about a peer that marks all that it can think of, and ends.
func TestWhatAPeerMadeUpDiesLast(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(1000)
	for i := range 20 {
		require.Nil(t, b.mark(fmt.Sprint("made up ", i), "1", "").Err)
	}
	require.Nil(t, a.mark("1914", "2207", "").Err)
	w.observed("1914", "2207")
	w.Died(b.Session, w.at)
	w.Died(a.Session, w.at)
	jobs, more := w.TakeDead(5)
	assert.Equal(t, watchdog.JobID("1914"), jobs[0])
	assert.Len(t, jobs, 5)
	assert.True(t, more)
	jobs, more = w.TakeDead(50)
	assert.Len(t, jobs, 16)
	assert.False(t, more)
}

// TestTheClearOfAnotherRunTakesNoPlace is about a peer that marks and clears a run that the job does not have.
func TestTheClearOfAnotherRunTakesNoPlace(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(1000), w.connect(2000)
	token := a.mark("1914", "2207", "").Token
	w.observed("1914", "2207")
	require.Nil(t, a.clear("1914", token).Err)
	cleared := w.at

	w.pass(time.Second, a, b)
	require.Nil(t, b.clear("1914", b.mark("1914", "made up", "").Token).Err)
	assert.Equal(t, cleared, w.look("1914", "2207").ClearedAt)
	w.pass(grace, a, b)
	require.Nil(t, b.clear("1914", b.mark("1914", "2207", "").Token).Err)
	assert.Equal(t, w.at, w.look("1914", "2207").ClearedAt, "what does not count any more is replaced")
}
