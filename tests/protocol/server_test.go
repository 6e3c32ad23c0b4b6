package protocol

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
	"github.com/finalizer-watchdog/watchdog/liveness"
)

// server is the real server on a real socket, over rows that a test gives it.
type server struct {
	path string
	rows *rows
}

// serve starts a server that ends with the test.
func serve(t *testing.T) *server {
	t.Helper()
	folder, err := os.MkdirTemp("", "wd") // a test's own folder may be too long a path for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	s := &server{path: filepath.Join(folder, "s"), rows: &rows{jobs: make(map[watchdog.JobID]watchdog.Job)}}
	socket, err := liveness.Listen(t.Context(), s.path, 0o600)
	require.NoError(t, err)
	state, found, err := liveness.OpenState(s.path+".state", "boot", liveness.Boottime(), time.Now())
	require.NoError(t, err)
	switched := &reaper{}
	switched.on.Store(true)
	registry := liveness.NewRegistry(liveness.Config{
		Lease: 15 * time.Second, Hold: 30 * time.Second, Grace: 2 * time.Minute,
		Limits: liveness.Limits{PerSession: 100, Total: 1000, Remembered: 1000},
		Rules:  switched, Enabled: switched.on.Load, Observer: nobody{},
	}, found.Bound, state.Bound())
	quiet := slog.New(slog.DiscardHandler)
	served := &liveness.Server{Registry: registry, State: state, Rows: s.rows, Controls: switched, Boot: liveness.Boottime,
		Connections: 50, Log: quiet, Audit: quiet}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- served.Run(ctx, socket) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
		assert.NoError(t, socket.Close())
		assert.NoError(t, state.Close())
	})
	return s
}

// rows is the database.
type rows struct {
	mu   sync.Mutex
	jobs map[watchdog.JobID]watchdog.Job
}

func (r *rows) add(more []row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range more {
		job := watchdog.Job{ID: watchdog.JobID(m.Job), Run: watchdog.RunID(m.Run), Status: m.Status, StartedAt: time.Now()}
		if job.Status == "" {
			job.Status = watchdog.StatusRunning
		}
		r.jobs[job.ID] = job
	}
}

// Jobs is the reader's that the server asks.
func (r *rows) Jobs(_ context.Context, ids []watchdog.JobID) ([]watchdog.Job, watchdog.Instant, error) {
	at := watchdog.Instant{Rows: time.Now(), Boot: liveness.Boottime()}
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []watchdog.Job
	for id, job := range r.jobs {
		if slices.Contains(ids, id) {
			found = append(found, job)
		}
	}
	return found, at, nil
}

// Unlocked is the reader's too: nobody locks a row here.
func (r *rows) Unlocked(_ context.Context, ids []watchdog.JobID) ([]watchdog.JobID, error) {
	return ids, nil
}

// reaper is what the socket can do to the reaper, and what the registry knows of its policy.
type reaper struct{ on atomic.Bool }

func (r *reaper) Describe() []byte                { return []byte(`"finalizer_liveness":true`) }
func (r *reaper) Switch(on bool, _ string)        { r.on.Store(on) }
func (r *reaper) ReleaseBrake(string)             {}
func (r *reaper) Guards(string) bool              { return true }
func (r *reaper) Backstop(watchdog.Job) time.Time { return time.Time{} }

// nobody counts nothing.
type nobody struct{}

func (nobody) Marked(string)                          {}
func (nobody) Checked(string)                         {}
func (nobody) Released(string, string, time.Duration) {}
func (nobody) FalseReap(watchdog.Tier)                {}
