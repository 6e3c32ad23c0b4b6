package liveness

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

const (
	lease = 15 * time.Second
	holds = 30 * time.Second
	grace = 2 * time.Minute
)

// rules guard one stage and end a job two hours after it began.
type rules struct{}

func (rules) Guards(stage string) bool { return stage == "deploy-staging" }
func (rules) Backstop(job watchdog.Job) time.Time {
	if job.Began().IsZero() {
		return time.Time{}
	}
	return job.Began().Add(2 * time.Hour)
}

// counter is an Observer that remembers.
type counter struct {
	marks, checks, releases map[string]int
	falseReaps              int
}

func (c *counter) Marked(result string)                    { c.marks[result]++ }
func (c *counter) Checked(result string)                   { c.checks[result]++ }
func (c *counter) Released(how, _ string, _ time.Duration) { c.releases[how]++ }
func (c *counter) FalseReap(watchdog.Tier)                 { c.falseReaps++ }

// world is a registry with a clock of the test's.
type world struct {
	*Registry
	t       testing.TB
	at      time.Duration
	enabled bool
	seen    *counter
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, at: time.Hour, enabled: true,
		seen: &counter{marks: map[string]int{}, checks: map[string]int{}, releases: map[string]int{}}}
	w.Registry = w.registry(0, 1<<20)
	w.Hangup(w.Connect(w.at-commitsArriveIn, Peer{}), w.at-commitsArriveIn) // it was not started just now
	return w
}

func (w *world) registry(last, bound uint64) *Registry {
	return NewRegistry(Config{Lease: lease, Hold: holds, Grace: grace, Stages: []string{"deploy-staging"}, Rules: rules{}, Observer: w.seen,
		Limits: Limits{PerSession: 50, Total: 80, Remembered: 40}, Enabled: func() bool { return w.enabled }}, last, bound)
}

// peer is a session and what it was told.
type peer struct {
	*Session
	w    *world
	told []protocol.Event
}

func (w *world) connect(uid int) *peer {
	p := &peer{w: w}
	p.Session = w.Connect(w.at, Peer{UID: uid, PID: 17, Proof: watchdog.ProofPidfd,
		Tell: func(e protocol.Event) { p.told = append(p.told, e) }})
	w.Hello(p.Session, w.at, fmt.Sprintf("peer-%d", uid), 0)
	return p
}

// pass lets time go by as it does for a watchdog that runs: swept all the while, its peers beating.
func (w *world) pass(d time.Duration, beating ...*peer) {
	for end := w.at + d; w.at < end; {
		w.at = min(w.at+time.Second, end)
		for _, p := range beating {
			w.Touch(p.Session, w.at)
		}
		w.Sweep(w.at)
	}
}

func (p *peer) ask(r protocol.Request) (protocol.Reply, bool) {
	if r.Role == "" {
		r.Role = "finalizer"
	}
	return p.w.Mark(p.Session, p.w.at, &r, nil)
}

func (p *peer) mark(job, run, key string) protocol.Reply {
	p.w.t.Helper()
	reply, done := p.ask(protocol.Request{Job: job, Run: run, Key: key})
	require.True(p.w.t, done, "the database would have to be asked")
	return reply
}

func (p *peer) resume(job, run string, token uint64) protocol.Reply {
	p.w.t.Helper()
	reply, done := p.ask(protocol.Request{Job: job, Run: run, Token: token})
	require.True(p.w.t, done)
	return reply
}

// check asks as the server does: the database has confirmed, the file has kept.
func (p *peer) check(job string, token uint64) protocol.Reply {
	reply, need := p.w.Check(p.Session, p.w.at, &protocol.Request{Job: job, Token: token})
	if need.Ask {
		o := p.owned[token]
		p.w.Settled(p.w.Unsettled([]watchdog.JobID{watchdog.JobID(job)}))
		p.w.Observe(p.w.instant(), []watchdog.JobID{watchdog.JobID(job)}, []watchdog.Job{p.w.row(job, string(o.run))})
		reply, need = p.w.Check(p.Session, p.w.at, &protocol.Request{Job: job, Token: token})
	}
	if need.Keep {
		p.w.Kept(need, need.Until+holds)
	}
	return reply
}

func (p *peer) clear(job string, token uint64) protocol.Reply {
	reply, _ := p.w.Clear(p.Session, p.w.at, &protocol.Request{Job: job, Token: token})
	return reply
}

func (p *peer) step(job string, token uint64, budget time.Duration) protocol.Reply {
	return p.w.Step(p.Session, p.w.at, &protocol.Request{Job: job, Token: token, Step: "re-test", Budget: budget})
}

// epoch is the rows' clock at the boot clock's zero.
var epoch = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func (w *world) instant() watchdog.Instant {
	return watchdog.Instant{Rows: epoch.Add(w.at), Boot: w.at}
}

// row is a job that runs in the guarded stage.
func (w *world) row(job, run string) watchdog.Job {
	return watchdog.Job{ID: watchdog.JobID(job), Run: watchdog.RunID(run), Status: watchdog.StatusRunning,
		Stage: "deploy-staging", Version: "v", StartedAt: epoch.Add(w.at - time.Minute)}
}

func (w *world) look(job, run string) watchdog.Claim {
	return w.Look(w.instant(), []watchdog.Job{w.row(job, run)})[0]
}

func (w *world) judged(job, run string) watchdog.Judged {
	return watchdog.Judged{Job: w.row(job, run), Claim: w.look(job, run),
		Verdict: watchdog.Verdict{Action: watchdog.Reap, Tier: watchdog.Tier3, Reason: watchdog.ReasonBackstop}}
}

func code(r protocol.Reply) string {
	if r.Err == nil {
		return "ok"
	}
	return string(r.Err.Code) + " " + r.Reason
}
