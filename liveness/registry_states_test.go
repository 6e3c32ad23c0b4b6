package liveness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
)

func TestStatesOfAnOwner(t *testing.T) {
	w := newWorld(t)
	other := w.connect(1)
	a := w.connect(1000)
	token := a.mark("1914", "2207", "").Token
	state := func() watchdog.State {
		if o := w.look("1914", "2207").Owner; o != nil {
			return o.State
		}
		return watchdog.Ended
	}
	w.pass(lease-time.Second, other)
	assert.Equal(t, watchdog.Connected, state())
	w.pass(time.Second, other)
	assert.Equal(t, watchdog.Stalled, state())
	w.Touch(a.Session, w.at)
	assert.Equal(t, watchdog.Connected, state())

	a.step("1914", token, 10*time.Second)
	w.pass(10*time.Second, a, other)
	assert.Equal(t, watchdog.Stalled, state(), "past its budget, whoever beats for it")
	assert.Equal(t, 1, w.Count(w.at).Stalled)
	a.step("1914", token, 0)
	assert.Equal(t, watchdog.Connected, state())
	assert.Equal(t, 0, w.Count(w.at).Stalled)

	w.Hangup(a.Session, w.at)
	assert.Equal(t, watchdog.Reconnecting, state(), "a lost connection is silence")
	w.pass(lease, other)
	assert.Equal(t, watchdog.Ended, state())
	assert.Equal(t, map[string]int{"lost": 1}, w.seen.releases)
}

func TestDeathIsProvenAndTakenOnce(t *testing.T) {
	w := newWorld(t)
	a := w.connect(1000)
	a.mark("1914", "2207", "")
	a.mark("1915", "2208", "")
	w.Hangup(a.Session, w.at)
	w.Died(a.Session, w.at)
	w.Died(a.Session, w.at)
	<-w.Deaths()
	jobs, more := w.TakeDead(1)
	assert.Len(t, jobs, 1)
	assert.True(t, more)
	rest, more := w.TakeDead(10)
	assert.ElementsMatch(t, []watchdog.JobID{"1914", "1915"}, append(jobs, rest...))
	assert.False(t, more)
	assert.Equal(t, watchdog.Dead, w.look("1914", "2207").Owner.State)
	assert.Equal(t, w.at, w.look("1914", "2207").Owner.DiedAt)

	w.Recall()
	again, _ := w.TakeDead(10)
	assert.Len(t, again, 2)
	b := w.connect(1000)
	require.Nil(t, b.mark("1914", "2207", "other").Err, "the dead hold nothing up")
	assert.Equal(t, 1, w.seen.releases["died"])
}

// TestOwnSilenceBeforeARevocation is about a watchdog that is stopped between the verdict and the reap.
func TestOwnSilenceBeforeARevocation(t *testing.T) {
	w := newWorld(t)
	a, other := w.connect(1000), w.connect(1000)
	a.mark("1914", "2207", "")
	w.pass(lease, other)
	judged := w.judged("1914", "2207")
	require.Equal(t, watchdog.Stalled, judged.Claim.Owner.State)
	w.at += lease
	assert.Equal(t, []watchdog.JobID{"1914"}, w.Revoke(w.at, []watchdog.Judged{judged}), "it may have been heard of since")
}

func TestOwnSilenceIsNotTheirs(t *testing.T) {
	w := newWorld(t)
	a := w.connect(1000)
	a.mark("1914", "2207", "")
	b := w.connect(1000)
	b.mark("1915", "2208", "")
	w.Hangup(b.Session, w.at)
	w.at += time.Hour // stopped, starved or suspended: nothing was swept
	assert.Equal(t, watchdog.Connected, w.look("1914", "2207").Owner.State)
	assert.Equal(t, watchdog.Reconnecting, w.look("1915", "2208").Owner.State)
	w.pass(lease)
	assert.Equal(t, watchdog.Stalled, w.look("1914", "2207").Owner.State, "from then on their silence is theirs")
	assert.Nil(t, w.look("1915", "2208").Owner)
}
