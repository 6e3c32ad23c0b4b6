package reaper_test

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/liveness"
)

// owners is the registry, with its part in a reap written into the database's trace.
type owners struct {
	*liveness.Registry
	db *store

	mu      sync.Mutex
	revoked map[watchdog.JobID]string // the version that was judged, of all that were
	meddle  func()                    // ahead of a revocation, once
}

func (o *owners) Revoke(at time.Duration, judged []watchdog.Judged) []watchdog.JobID {
	o.mu.Lock()
	meddle := o.meddle
	o.meddle = nil
	o.mu.Unlock()
	if meddle != nil {
		meddle()
	}
	for _, j := range judged {
		o.db.note("revoke", j.Job.ID)
	}
	lost := o.Registry.Revoke(at, judged)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.revoked == nil {
		o.revoked = make(map[watchdog.JobID]string)
	}
	for _, j := range judged {
		if len(lost) == 0 {
			o.revoked[j.Job.ID] = j.Job.Version
		}
	}
	return lost
}

func (o *owners) Settle(at time.Duration, jobs []watchdog.JobID) {
	o.db.note("settle", jobs...)
	o.Registry.Settle(at, jobs)
}

// seen is all that the reaper and the registry tell: figures, and the audit.
type seen struct {
	mu       sync.Mutex
	deferred map[watchdog.Reason]int
	reaped   map[watchdog.Reason]int
	recovery []time.Duration
	would    map[watchdog.Reason]int
	lost     int
	failed   map[string]int
	passes   int
	failures int
	lines    map[string]map[string]int // audit: what was done, to which job, how often
}

func newSeen() *seen {
	return &seen{deferred: make(map[watchdog.Reason]int), reaped: make(map[watchdog.Reason]int),
		would: make(map[watchdog.Reason]int), failed: make(map[string]int), lines: make(map[string]map[string]int)}
}

func (s *seen) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *seen) Deferred(r watchdog.Reason) { s.do(func() { s.deferred[r]++ }) }
func (s *seen) Reaped(_ watchdog.Tier, r watchdog.Reason, recovery time.Duration) {
	s.do(func() { s.reaped[r]++; s.recovery = append(s.recovery, recovery) })
}
func (s *seen) WouldReap(_ watchdog.Tier, r watchdog.Reason) { s.do(func() { s.would[r]++ }) }
func (s *seen) LostRace(watchdog.Tier)                       { s.do(func() { s.lost++ }) }
func (s *seen) Failed(phase string)                          { s.do(func() { s.failed[phase]++ }) }
func (s *seen) PassDone(_ time.Duration, ok bool) {
	s.do(func() {
		s.passes++
		if !ok {
			s.failures++
		}
	})
}

// The registry's observer.
func (s *seen) Marked(string)                          {}
func (s *seen) Checked(string)                         {}
func (s *seen) Released(string, string, time.Duration) {}
func (s *seen) FalseReap(watchdog.Tier)                {}

// The audit's handler.
func (s *seen) Enabled(context.Context, slog.Level) bool { return true }
func (s *seen) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s *seen) WithGroup(string) slog.Handler            { return s }
func (s *seen) Handle(_ context.Context, line slog.Record) error {
	s.do(func() {
		line.Attrs(func(a slog.Attr) bool {
			if a.Key == "job" {
				if s.lines[line.Message] == nil {
					s.lines[line.Message] = make(map[string]int)
				}
				s.lines[line.Message][a.Value.String()]++
			}
			return a.Key != "job"
		})
	})
	return nil
}

// audited is how often that was done to the job, as the audit tells.
func (s *seen) audited(what string, id watchdog.JobID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines[what][string(id)]
}

// check looks whether everything that must hold at all times does.
func (w *world) check() {
	w.Helper()
	status := w.reaper.Status()
	w.db.mu.Lock()
	rows, reaps := maps.Clone(w.db.rows), w.db.reaps
	open := w.db.open
	w.db.mu.Unlock()
	assert.Zero(w, open, "every transaction was ended")
	once := make(map[requeued]bool)
	for _, reap := range reaps {
		assert.GreaterOrEqual(w, reap.at, w.promised[reap.id], "job %s was reaped inside a hold", reap.id)
		key := requeued{id: reap.id, version: reap.version}
		assert.False(w, once[key], "job %s was reaped twice at version %s", reap.id, reap.version)
		once[key] = true
		if status.Pending == 0 {
			assert.Positive(w, w.seen.audited("reaped", reap.id), "job %s was reaped without an audit line", reap.id)
		}
	}
	w.owners.mu.Lock()
	defer w.owners.mu.Unlock()
	for id, version := range w.owners.revoked {
		if rows[id].Version == version {
			assert.Positive(w, status.Pending, "job %s was revoked, and neither changed nor pending", id)
		}
	}
	var told int64
	for _, n := range status.ReapedTotal {
		told += n
	}
	w.seen.do(func() {
		counted := 0
		for _, n := range w.seen.reaped {
			counted += n
		}
		assert.EqualValues(w, counted, told, "the status and the metrics count the same reaps")
		deferred := 0
		for _, n := range w.seen.deferred {
			deferred += n
		}
		assert.EqualValues(w, deferred, status.DefersTotal, "the status and the metrics count the same deferrals")
	})
}
