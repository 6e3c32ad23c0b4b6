package reaper_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/liveness"
	"github.com/finalizer-watchdog/watchdog/protocol"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

const (
	interval = 5 * time.Second
	warmup   = 15 * time.Second
	lease    = 15 * time.Second
	hold     = 30 * time.Second
)

// world is a reaper with the real registry over a database in memory, in virtual time.
type world struct {
	*testing.T
	started  time.Time
	db       *store
	registry *liveness.Registry
	owners   *owners
	seen     *seen
	reaper   *reaper.Reaper
	switched *atomic.Bool
	promised map[watchdog.JobID]time.Duration // the end of each hold

	mu       sync.Mutex
	sessions []*session
}

// within runs a test in a bubble, in a world where the reaper does not run yet.
func inWorld(t *testing.T, test func(w *world), change ...func(*reaper.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newWorld(t, change...)) })
}

func newWorld(t *testing.T, change ...func(*reaper.Options)) *world {
	w := &world{T: t, started: time.Now(), seen: newSeen(), switched: new(atomic.Bool),
		promised: make(map[watchdog.JobID]time.Duration)}
	w.switched.Store(true)
	w.db = newStore(w.boot)
	p := policy()
	o := reaper.Options{Policy: p, Interval: interval, Warmup: warmup, Liveness: w.switched, Store: w.db,
		Observer: w.seen, Boot: w.boot, Log: slog.New(slog.DiscardHandler), Audit: slog.New(w.seen)}
	for _, c := range change {
		c(&o)
	}
	w.registry = liveness.NewRegistry(liveness.Config{Lease: lease, Hold: hold, Grace: o.Policy.LongestGrace(),
		Limits: liveness.Limits{PerSession: 1 << 20, Total: 1 << 20, Remembered: 1 << 20}, Rules: &o.Policy,
		Enabled: w.switched.Load, Observer: w.seen}, 0, 1<<40)
	w.owners = &owners{Registry: w.registry, db: w.db}
	if o.Owners == nil {
		o.Owners = w.owners
	}
	w.reaper = reaper.New(o)
	return w
}

// boot is the boot clock: the bubble's, as if the machine had run for an hour.
func (w *world) boot() time.Duration { return time.Hour + time.Since(w.started) }

func (w *world) now() watchdog.Instant {
	return watchdog.Instant{Rows: time.Now(), Boot: w.boot()}
}

// run starts the reaper, and what beats and sweeps in a real watchdog; both end with the test, or when the
// function that is returned is called.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.reaper.Run(ctx) }()
	go w.beat(ctx)
	stop = func() {
		cancel()
		require.NoError(w, <-ended)
		ended <- nil
	}
	w.Cleanup(stop)
	synctest.Wait()
	return stop
}

func (w *world) beat(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.mu.Lock()
		sessions := w.sessions
		w.mu.Unlock()
		for _, s := range sessions {
			if !s.silent.Load() {
				w.registry.Touch(s.Session, w.boot())
			}
		}
		w.registry.Sweep(w.boot())
	}
}

// pass lets virtual time pass, and looks whether all that must hold does.
func (w *world) pass(d time.Duration) {
	w.Helper()
	// Both locks are taken once, so that what the test has read comes before what will be written.
	_ = w.db.called("")
	w.seen.do(func() {})
	time.Sleep(d)
	synctest.Wait()
	w.check()
}

// add puts a job of run 1 into the database that began ten minutes ago in deploy-staging; its run finished the
// given time ago, or not yet if that is negative.
func (w *world) add(id watchdog.JobID, finished time.Duration, change ...func(*watchdog.Job)) {
	at := time.Now().Add(-10 * time.Minute)
	j := watchdog.Job{ID: id, Run: "1", Stage: "deploy-staging", Status: watchdog.StatusRunning, Attempt: 1,
		CreatedAt: at, StartedAt: at, RunStartedAt: at}
	if finished >= 0 {
		j.FinishedAt = time.Now().Add(-finished)
	}
	for _, c := range change {
		c(&j)
	}
	w.db.put(j)
}

// claimed has the orchestrator claim the job again: another run, which finished just now.
func (w *world) claimed(id watchdog.JobID, run watchdog.RunID) {
	j := w.db.get(id)
	j.Status, j.Run, j.Attempt = watchdog.StatusRunning, run, j.Attempt+1
	j.StartedAt, j.RunStartedAt, j.FinishedAt = time.Now(), time.Now(), time.Now()
	w.db.put(j)
}

// session is a client's.
type session struct {
	*liveness.Session
	w      *world
	silent atomic.Bool
	tokens map[watchdog.JobID]uint64
}

func (w *world) connect() *session {
	s := &session{w: w, tokens: make(map[watchdog.JobID]uint64)}
	s.Session = w.registry.Connect(w.boot(), liveness.Peer{PID: 17, Proof: watchdog.ProofPidfd, Tell: func(protocol.Event) {}})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions = append(w.sessions, s)
	return s
}

// mark marks the jobs and reports whether each was granted.
func (s *session) mark(run watchdog.RunID, ids ...watchdog.JobID) bool {
	return s.markAs("finalizer", run, ids...)
}

func (s *session) markAs(role string, run watchdog.RunID, ids ...watchdog.JobID) bool {
	granted := true
	for _, id := range ids {
		reply, _ := s.w.registry.Mark(s.Session, s.w.boot(), &protocol.Request{Op: protocol.OpMark, Job: string(id),
			Run: string(run), Role: role}, &liveness.Newest{Run: run, At: s.w.boot()})
		granted = granted && reply.Err == nil
		s.tokens[id] = reply.Token
	}
	return granted
}

// check asks for a hold and reports whether it was given.
func (s *session) check(id watchdog.JobID) bool {
	req := &protocol.Request{Op: protocol.OpCheck, Job: string(id), Token: s.tokens[id]}
	reply, promise := s.w.registry.Check(s.Session, s.w.boot(), req)
	if promise.Ask {
		s.w.registry.Settled([]watchdog.JobID{id})
		s.w.registry.Observe(s.w.now(), []watchdog.JobID{id}, []watchdog.Job{s.w.db.get(id)})
		reply, promise = s.w.registry.Check(s.Session, s.w.boot(), req)
	}
	if reply.Err != nil {
		return false
	}
	s.w.promised[id] = promise.Until
	return true
}

func (s *session) clear(id watchdog.JobID) {
	s.w.registry.Clear(s.Session, s.w.boot(), &protocol.Request{Op: protocol.OpClear, Job: string(id), Token: s.tokens[id]})
	delete(s.w.promised, id)
}

func (s *session) die() { s.silent.Store(true); s.w.registry.Died(s.Session, s.w.boot()) }
