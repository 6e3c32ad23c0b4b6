package liveness

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
)

// soon is how long a test waits for what has to happen at once: long, for the machine may be busy.
const soon = 20 * time.Second

// served is a server on a real socket, or in a bubble. Its clock is the machine's, or the bubble's, and can be put
// forward.
type served struct {
	*Server
	t      testing.TB
	path   string
	socket *Socket
	close  func() error // of the socket
	rows   *database
	reaper *controls
	seen   *sightings
	clock  func() time.Duration
	ahead  atomic.Int64
}

// serve starts a server that ends with the test.
func serve(t testing.TB) *served {
	t.Helper()
	s := listening(t)
	s.run()
	return s
}

// listening returns a server that listens and does not accept yet.
func listening(t testing.TB) *served {
	t.Helper()
	s := &served{t: t, path: filepath.Join(folder(t), "s"), seen: &sightings{ended: make(map[string]int)}, reaper: &controls{},
		clock: Boottime}
	s.rows = &database{boot: s.boot, newest: make(map[watchdog.JobID]watchdog.RunID)}
	s.reaper.on.Store(true)
	socket, err := Listen(t.Context(), s.path, 0o600)
	require.NoError(t, err)
	s.socket = socket
	s.close = sync.OnceValue(socket.Close)
	t.Cleanup(func() { assert.NoError(t, s.close()) })
	state, _, err := OpenState(s.path+".state", "boot", s.boot(), epoch)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, state.Close()) })
	quiet := slog.New(slog.DiscardHandler)
	s.Server = &Server{State: state, Rows: s.rows, Controls: s.reaper, Boot: s.boot, Connections: 100, Log: quiet, Audit: quiet}
	// Tokens count from 1: so a peer can name one that it has not been told yet.
	s.Registry = NewRegistry(Config{Lease: lease, Hold: holds, Grace: grace, Rules: rules{}, Observer: s.seen,
		Limits: Limits{PerSession: 1 << 17, Total: 1 << 17, Remembered: 1 << 10}, Enabled: s.reaper.on.Load}, 0, state.Bound())
	return s
}

// run begins to accept and returns what ends it and waits for its end; the end of the test does so too.
func (s *served) run() (stop func() error) {
	return s.runBy(func(ctx context.Context) error { return s.Run(ctx, s.socket) })
}

// runBy is run for a server whose peers come by another way.
func (s *served) runBy(run func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	s.t.Cleanup(func() { assert.NoError(s.t, stop()) })
	return stop
}

// folder is one whose path is short enough for sockets, which that of a test's own may not be.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wd")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (s *served) boot() time.Duration { return s.clock() + time.Duration(s.ahead.Load()) }

// pass puts the clock forward as it goes for a watchdog that runs: swept all the while.
func (s *served) pass(d time.Duration) {
	for ; d > 0; d -= minLease / 4 {
		s.ahead.Add(int64(min(d, minLease/4)))
		s.Registry.Sweep(s.boot())
	}
}

// owner is the job's finalizer; nil when nobody owns it.
func (s *served) owner(job string) *watchdog.Owner {
	at := watchdog.Instant{Rows: time.Now(), Boot: s.boot()}
	return s.Registry.Look(at, []watchdog.Job{{ID: watchdog.JobID(job), Run: "1", Status: watchdog.StatusRunning}})[0].Owner
}

func (s *served) state(job string) watchdog.State {
	if o := s.owner(job); o != nil {
		return o.State
	}
	return watchdog.Ended
}

// reap revokes the job's ownership as the backstop does.
func (s *served) reap(job string) {
	at := watchdog.Instant{Rows: time.Now(), Boot: s.boot()}
	row := watchdog.Job{ID: watchdog.JobID(job), Run: "1", Status: watchdog.StatusRunning}
	claim := s.Registry.Look(at, []watchdog.Job{row})[0]
	verdict := watchdog.Verdict{Action: watchdog.Reap, Tier: watchdog.Tier3, Reason: watchdog.ReasonBackstop}
	assert.Empty(s.t, s.Registry.Revoke(at.Boot, []watchdog.Judged{{Job: row, Claim: claim, Verdict: verdict}}))
}

func (s *served) sessions() int {
	n := 0
	for _, of := range s.Registry.Count(s.boot()).Sessions {
		n += of
	}
	return n
}

// eventually waits for what another goroutine or process is about to bring about.
func (s *served) eventually(so func() bool, told string) {
	s.t.Helper()
	require.Eventually(s.t, so, soon, time.Millisecond, told)
}

// database holds every job open under run 1, unless told another newest run.
type database struct {
	boot func() time.Duration

	mu     sync.Mutex
	newest map[watchdog.JobID]watchdog.RunID
	err    error
	locked watchdog.JobID
	hangs  chan struct{} // until it is closed nothing is answered; nil: answers
}

func (d *database) Jobs(ctx context.Context, ids []watchdog.JobID) ([]watchdog.Job, watchdog.Instant, error) {
	at := watchdog.Instant{Rows: time.Now(), Boot: d.boot()}
	d.mu.Lock()
	hangs, err := d.hangs, d.err
	d.mu.Unlock()
	if hangs != nil {
		select {
		case <-hangs:
		case <-ctx.Done():
			return nil, at, context.Cause(ctx)
		}
	}
	if err != nil {
		return nil, at, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	rows := make([]watchdog.Job, 0, len(ids))
	for _, id := range ids {
		run, other := d.newest[id]
		if !other {
			run = "1"
		}
		rows = append(rows, watchdog.Job{ID: id, Run: run, Status: watchdog.StatusRunning, StartedAt: at.Rows})
	}
	return rows, at, nil
}

func (d *database) Unlocked(_ context.Context, ids []watchdog.JobID) ([]watchdog.JobID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return nil, d.err
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id watchdog.JobID) bool { return id == d.locked }), nil
}

// lock has somebody lock a row; of no job, the empty one, lets go of it.
func (d *database) lock(job watchdog.JobID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.locked = job
}

// fail has questions fail from now on, or answered when err is nil.
func (d *database) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// hang has questions wait from now on until the database is let go.
func (d *database) hang() (letGo func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	hangs := make(chan struct{})
	d.hangs = hangs
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.hangs = nil
		close(hangs)
	})
}

func (d *database) run(job, run string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.newest[watchdog.JobID(job)] = watchdog.RunID(run)
}

// controls is a reaper that notes what it was told.
type controls struct {
	on   atomic.Bool
	body string // of a status, set before the server runs

	mu  sync.Mutex
	did []string
}

func (c *controls) Describe() []byte { return []byte(c.body) }

func (c *controls) Switch(on bool, by string) {
	c.on.Store(on)
	c.note("switch by " + by)
}

func (c *controls) ReleaseBrake(by string) { c.note("release by " + by) }

func (c *controls) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.did = append(c.did, what)
}

func (c *controls) done() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.did...)
}

// sightings is an Observer that counts how ownerships end.
type sightings struct {
	mu    sync.Mutex
	ended map[string]int
}

func (*sightings) Marked(string)           {}
func (*sightings) Checked(string)          {}
func (*sightings) FalseReap(watchdog.Tier) {}

func (c *sightings) Released(how, _ string, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended[how]++
}

func (c *sightings) of(how string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended[how]
}
