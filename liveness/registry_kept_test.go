package liveness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// promise checks for a hold under a confirmed token, and writes it down as the server does, up to telling the registry.
func (p *peer) promise(s *State, job string, token uint64, length time.Duration) Promise {
	p.w.t.Helper()
	p.w.Settled([]watchdog.JobID{watchdog.JobID(job)})
	req := protocol.Request{Job: job, Token: token, Hold: length}
	reply, need := p.w.Check(p.Session, p.w.at, &req)
	if need.Ask {
		p.w.observed(job, string(p.owned[token].run))
		reply, need = p.w.Check(p.Session, p.w.at, &req)
	}
	require.Nil(p.w.t, reply.Err)
	if need.Keep {
		require.NoError(p.w.t, s.Keep(Hold{Job: need.Job, Token: need.Token, Role: need.Role, UID: need.UID, Until: need.Until + reply.Hold}))
	}
	return need
}

// kept is promise to its end.
func (p *peer) kept(s *State, job string, token uint64, length time.Duration) Promise {
	p.w.t.Helper()
	need := p.promise(s, job, token, length)
	if need.Keep {
		p.w.Kept(need, need.Until+length)
	}
	return need
}

// rewrite writes the file anew.
func (w *world) rewrite(s *State) {
	w.t.Helper()
	require.NoError(w.t, s.Rewrite(func() []Hold { return w.Holds(w.at) }))
}

// restarted is the end of the job's hold as the next watchdog finds it.
func (w *world) restarted(t *testing.T, s *State) time.Duration {
	t.Helper()
	_, found := openState(t, s.path, w.at, time.Time{})
	w.Registry = w.registry(found.Bound, found.Bound+100)
	w.Restore(found.Holds, 0)
	return w.look("1914", "2207").HoldUntil
}

// TestARewriteKeepsWhatKeptSays is about a file that is written anew after the hold is over that it knows to be longer.
func TestARewriteKeepsWhatKeptSays(t *testing.T) {
	w := newWorld(t)
	s, _ := openState(t, statePath(t), w.at, time.Time{})
	a := w.connect(1000)
	token := a.mark("1914", "2207", "").Token
	a.kept(s, "1914", token, 10*time.Second) // written down for 20 s
	w.pass(11*time.Second, a)
	w.rewrite(s)
	w.pass(time.Second, a)
	need := a.kept(s, "1914", token, 5*time.Second)
	require.False(t, need.Keep, "the file knows of a longer one")
	assert.GreaterOrEqual(t, w.restarted(t, s), need.Until)
}

// TestARewriteBetweenTheFileAndTheRegistry is about a hold that is written down, and the registry not told yet.
func TestARewriteBetweenTheFileAndTheRegistry(t *testing.T) {
	w := newWorld(t)
	s, _ := openState(t, statePath(t), w.at, time.Time{})
	a := w.connect(1000)
	token := a.mark("1914", "2207", "").Token
	need := a.promise(s, "1914", token, holds)
	w.rewrite(s)
	w.Kept(need, need.Until+holds)
	w.pass(holds-time.Second, a)
	need = a.kept(s, "1914", token, holds)
	require.False(t, need.Keep)
	assert.GreaterOrEqual(t, w.restarted(t, s), need.Until)
}

// TestWhatIsKeptIsOfOneToken is about the next owner of a job: that the file knows of the hold of the one before it does not
// spare it its own line.
func TestWhatIsKeptIsOfOneToken(t *testing.T) {
	w := newWorld(t)
	s, _ := openState(t, statePath(t), w.at, time.Time{})
	a, b := w.connect(1000), w.connect(1000)
	token := a.mark("1914", "2207", "a").Token
	late := a.promise(s, "1914", token, holds)
	a.kept(s, "1914", token, holds)
	w.pass(holds, b) // and so much more in the file
	w.Hangup(a.Session, w.at)
	token = b.mark("1914", "2207", "b").Token
	need := b.promise(s, "1914", token, 5*time.Second)
	require.True(t, need.Keep)
	w.Kept(late, late.Until+holds)
	assert.True(t, b.promise(s, "1914", token, 5*time.Second).Keep, "what is told late is told of another")
}
