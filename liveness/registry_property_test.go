package liveness

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/finalizer-watchdog/watchdog"
)

// reference remembers what was promised, told and taken, apart from the registry, and objects when the
// registry goes back on it.
type reference struct {
	*world
	t       *rapid.T
	peers   []*peer
	given   uint64              // the newest token
	tokens  map[string][]uint64 // of each job
	held    map[string]promised
	revoked map[uint64]bool
	judged  *watchdog.Judged // a reap in progress: judged, its row locked
	reaping string           // revoked, and not settled
}

type promised struct {
	token uint64
	until time.Duration
}

// TestGuaranteeFour interleaves marks, beats, checks, steps, clears, hang-ups, deaths, resumes, restarts and
// time with a reap in progress.
func TestGuaranteeFour(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		m := &reference{world: w, t: rt, tokens: map[string][]uint64{}, held: map[string]promised{}, revoked: map[uint64]bool{}}
		m.peers = []*peer{w.connect(1000), w.connect(1000), w.connect(2000)}
		rt.Repeat(map[string]func(*rapid.T){
			"": m.invariants, "mark": m.marks, "resume": m.resumes, "check": m.checks, "beat": m.beats,
			"step": m.steps, "clear": m.clears, "hang up": m.hangsUp, "die": m.dies, "time": m.goesBy,
			"restart": m.restarts, "judge": m.judges, "revoke": m.revokes, "settle": m.settles,
			"compare": m.compares,
		})
	})
}

func (m *reference) peer(rt *rapid.T) *peer {
	return m.peers[rapid.IntRange(0, len(m.peers)-1).Draw(rt, "peer")]
}

func (m *reference) job(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "job")
}

func (m *reference) token(rt *rapid.T, job string) uint64 {
	if len(m.tokens[job]) == 0 {
		rt.Skip("no token yet")
	}
	return rapid.SampledFrom(m.tokens[job]).Draw(rt, "token")
}

// run is the one run that a job has in the database of this test.
func run(job string) string { return "run of " + job }

func (m *reference) marks(rt *rapid.T) {
	p, job := m.peer(rt), m.job(rt)
	if reply := p.mark(job, run(job), rapid.SampledFrom([]string{"", "x", "y"}).Draw(rt, "key")); reply.Err == nil {
		m.owns(rt, job, reply.Token)
	}
}

func (m *reference) resumes(rt *rapid.T) {
	p, job := m.peer(rt), m.job(rt)
	token := m.token(rt, job)
	if p.resume(job, run(job), token).Err == nil {
		m.owns(rt, job, token)
	}
}

// owns notes a token that was given or given back.
func (m *reference) owns(rt *rapid.T, job string, token uint64) {
	require.False(rt, m.revoked[token], "a revoked token is good again")
	require.NotEqual(rt, job, m.reaping, "owned while it is being reaped")
	if !slices.Contains(m.tokens[job], token) {
		require.Greater(rt, token, m.given, "tokens grow")
		m.given = token
		m.tokens[job] = append(m.tokens[job], token)
	}
}

func (m *reference) checks(rt *rapid.T) {
	p, job := m.peer(rt), m.job(rt)
	token := m.token(rt, job)
	reply := p.check(job, token)
	if reply.Err != nil {
		return
	}
	require.False(rt, m.revoked[token], "a revoked token passes a check")
	before := m.held[job]
	require.False(rt, before.token != token && m.at < before.until, "two pass a check at once")
	m.held[job] = promised{token, max(m.at+reply.Hold, before.until)}
}

func (m *reference) beats(rt *rapid.T) { m.Touch(m.peer(rt).Session, m.at) }

func (m *reference) steps(rt *rapid.T) {
	job := m.job(rt)
	m.peer(rt).step(job, m.token(rt, job), time.Duration(rapid.IntRange(0, 20).Draw(rt, "budget"))*time.Second)
}

func (m *reference) clears(rt *rapid.T) {
	p, job := m.peer(rt), m.job(rt)
	token := m.token(rt, job)
	owned := p.owned[token] != nil
	if p.clear(job, token).Err == nil && owned && m.held[job].token == token {
		delete(m.held, job) // it let go of its own hold
	}
}

func (m *reference) hangsUp(rt *rapid.T) {
	p := m.peer(rt)
	m.Hangup(p.Session, m.at)
	m.replace(p)
}

func (m *reference) dies(rt *rapid.T) {
	p := m.peer(rt)
	m.Died(p.Session, m.at)
	m.replace(p)
}

func (m *reference) replace(p *peer) {
	i := slices.Index(m.peers, p)
	m.peers[i] = m.connect(p.peer.UID)
}

func (m *reference) goesBy(rt *rapid.T) {
	m.pass(time.Duration(rapid.IntRange(1, 40).Draw(rt, "seconds"))*time.Second, m.peers[0])
}

func (m *reference) restarts(*rapid.T) {
	kept := m.Holds(m.at)
	last, bound := m.Tokens()
	_ = last
	m.Registry = m.registry(bound, bound+1000)
	m.Restore(kept, 0)
	for i, p := range m.peers {
		m.peers[i] = m.connect(p.peer.UID)
	}
	// A reap that the watchdog did not finish is not known to the next one: its row was not committed.
	m.judged, m.reaping = nil, ""
	m.revoked = map[uint64]bool{}
}

func (m *reference) judges(rt *rapid.T) {
	job := m.job(rt)
	j := m.world.judged(job, run(job))
	if m.reaping != "" || m.at < j.Claim.HoldUntil {
		rt.Skip("the reaper would not")
	}
	m.judged = &j
}

func (m *reference) revokes(rt *rapid.T) {
	if m.judged == nil || m.reaping != "" {
		rt.Skip("nothing was judged")
	}
	j := *m.judged
	m.judged = nil
	job := string(j.Job.ID)
	now := m.look(job, run(job))
	lost := m.Revoke(m.at, []watchdog.Judged{j})
	require.Equal(rt, j.Stands(now), len(lost) == 0, "what came after the judgement wins, and only that")
	if len(lost) > 0 {
		return
	}
	require.LessOrEqual(rt, m.held[job].until, m.at, "a hold is broken")
	for _, o := range []*watchdog.Owner{now.Owner, now.Worker} {
		if o != nil {
			m.revoked[o.Token] = true
		}
	}
	m.reaping = job
}

func (m *reference) settles(rt *rapid.T) {
	if m.reaping == "" {
		rt.Skip("nothing is being reaped")
	}
	m.Settle(m.at, []watchdog.JobID{watchdog.JobID(m.reaping)})
	m.reaping = ""
}

// compares is the minute's look at the database, in which both jobs are open.
func (m *reference) compares(*rapid.T) {
	m.Observe(m.instant(), []watchdog.JobID{"a", "b"}, []watchdog.Job{m.row("a", run("a")), m.row("b", run("b"))})
}

func (m *reference) invariants(rt *rapid.T) {
	owned, total, stalled := 0, 0, 0
	shares := make(map[int]int)
	for id, e := range m.jobs {
		require.Equal(rt, id, e.job)
		for i, o := range e.slots {
			if o == nil {
				continue
			}
			total++
			shares[o.session.peer.UID]++
			require.Equal(rt, i, slot(o.role))
			require.Same(rt, o, o.session.owned[o.token])
			require.LessOrEqual(rt, o.token, e.newest[i].token)
			if o.role == watchdog.Finalizer {
				owned++
			}
			if o.stateAt(m.at) == watchdog.Stalled {
				stalled++
			}
		}
		require.Equal(rt, e.slots[0] == nil && e.slots[1] == nil && len(e.reaping) == 0, e.remembered, "remembered or owned")
	}
	count := m.Count(m.at)
	require.Equal(rt, owned, count.Owned)
	require.Equal(rt, stalled, count.Stalled)
	require.Len(rt, m.Registry.tokens, total)
	require.Equal(rt, shares, m.shares)
	ordered := 0
	for _, line := range m.order {
		ordered += line.Len()
		for i, o := range line.all {
			require.Equal(rt, i+1, o.place)
			require.Same(rt, line, o.line)
			require.Same(rt, line, m.order.line(o.stage))
			require.LessOrEqual(rt, line.first().markedAt, o.markedAt)
		}
	}
	require.Equal(rt, owned, ordered)
	for job, h := range m.held {
		if m.at < h.until {
			require.GreaterOrEqual(rt, m.look(job, run(job)).HoldUntil, h.until, "a hold is forgotten")
		}
	}
}
