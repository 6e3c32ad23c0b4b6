package liveness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// TestMarksAndClearsWhileTheDatabaseIsAway is about a peer that marks and clears whatever it can think of: what the
// database is to be asked about does not pile up.
func TestMarksAndClearsWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	s := listening(t)
	s.Registry.cfg.Limits.Total = 10
	s.rows.fail(errors.New("connection refused"))
	s.run()
	k := s.dial()
	for i := range 200 {
		job := fmt.Sprint(i)
		require.True(t, k.ask(clearing(job, k.mark(job))).OK)
	}
	s.asker.mu.Lock()
	noted := len(s.asker.wanted) + len(s.asker.waiting)
	s.asker.mu.Unlock()
	assert.LessOrEqual(t, noted, 10)

	s.rows.fail(nil)
	token := k.mark("1914")
	s.eventually(func() bool { return k.ask(checking("1914", token)).OK }, "who waits is asked for all the same")
}

// lines counts what is logged.
type lines struct {
	mu   sync.Mutex
	told map[string]int
}

func (l *lines) logger() *slog.Logger { return slog.New(l) }

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told[r.Message]++
	return nil
}

// TestMarksOfUnknownJobsAreNotAuditedOneByOne is about a peer that could fill the disk so.
func TestMarksOfUnknownJobsAreNotAuditedOneByOne(t *testing.T) {
	t.Parallel()
	s := listening(t)
	audited := &lines{told: make(map[string]int)}
	s.Audit = audited.logger()
	stop := s.run()
	k := s.dial()
	require.True(t, k.ask(checking("1914", k.mark("1914"))).OK, "the database holds it")
	s.rows.run("1914", "2")
	var flood []string
	for i := range 300 {
		flood = append(flood, fmt.Sprintf(`{"op":"mark","job":"made up %d","run":"none"}`, i))
	}
	k.send(flood...)
	s.eventually(func() bool { return s.seen.of("closed") == 300 }, "they are ended")
	s.asker.want("1914")
	s.eventually(func() bool { return s.seen.of("closed") == 301 }, "as that one is")
	require.NoError(t, stop())
	assert.Equal(t, map[string]int{"ownership ended": 1}, audited.told)
}

// TestWhoWaitsIsAskedForFirst is about a check behind a flood of marks.
func TestWhoWaitsIsAskedForFirst(t *testing.T) {
	a := newAsker(nil, newWorld(t).Registry, nil, nil)
	a.registry.cfg.Limits.Total = 5 * askBatch
	for i := range 5 * askBatch {
		a.want(watchdog.JobID(fmt.Sprint("made up ", i)))
	}
	a.ask("1914")
	batch, left := a.take()
	assert.Contains(t, batch, watchdog.JobID("1914"))
	assert.Len(t, batch, 1, "what nobody owns any more is passed over")
	assert.Equal(t, 0, left)
}

// pile is a reaper that notes how much waits to be sent when it is asked for its status.
type pile struct {
	*controls
	server *Server
	most   int
}

func (h *pile) Describe() []byte {
	h.server.mu.Lock()
	defer h.server.mu.Unlock()
	for c := range h.server.conns {
		c.out.mu.Lock()
		h.most = max(h.most, len(c.out.buf))
		c.out.mu.Unlock()
	}
	return h.controls.Describe()
}

// TestRepliesDoNotPileUp asks for much more than it sends, and for all of it at once.
func TestRepliesDoNotPileUp(t *testing.T) {
	t.Parallel()
	s := listening(t)
	status := `"x":"` + strings.Repeat("x", 1<<12) + `"`
	s.reaper.body = status
	h := &pile{controls: s.reaper, server: s.Server}
	s.Controls = h
	s.run()
	k := s.dial()
	long := `{"op":"beat","x":"` + strings.Repeat("x", protocol.MaxLine-20) + `"}`
	require.True(t, k.ask(long).OK, "from now on much is read at once")
	const asked = 500
	go k.send(strings.TrimSuffix(strings.Repeat(`{"op":"status"}`+"\n", asked), "\n"))
	for range asked {
		require.True(t, k.next().OK)
	}
	assert.Greater(t, h.most, len(status), "they are put together")
	assert.Less(t, h.most, outboxKeep+2*len(status))
}

// TestAFloodGivesWay: while somebody else is served the floods share one pace, and nobody else waits.
func TestAFloodGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := &Server{Boot: func() time.Duration { return time.Hour + time.Since(began) }, flood: make(chan struct{}, 1)}
		loud, louder, other := &conn{srv: s}, &conn{srv: s}, &conn{srv: s}
		takes := func(what func()) time.Duration {
			before := time.Now()
			what()
			synctest.Wait()
			return time.Since(before)
		}
		floods := func(c *conn) {
			for range 100 * floodAfter / 512 {
				c.courtesy(s.Boot(), 512, true)
			}
		}
		assert.Zero(t, takes(func() { floods(loud) }), "nobody else is served")

		other.courtesy(s.Boot(), 30, false)
		assert.Equal(t, 100*floodPace, takes(func() { floods(loud) }))
		assert.Zero(t, takes(func() { other.courtesy(s.Boot(), 30, false) }))
		assert.Equal(t, 200*floodPace, takes(func() {
			var both sync.WaitGroup
			for _, c := range []*conn{loud, louder} {
				both.Go(func() {
					for range 10 {
						for range 10 * floodAfter / 512 {
							c.courtesy(s.Boot(), 512, true)
						}
						(&conn{srv: s}).courtesy(s.Boot(), 30, false)
					}
				})
			}
			both.Wait()
		}), "two floods take no more than one")

		loud.courtesy(s.Boot(), 1, false)
		for range 1000 { // who pauses is no flood, whatever it sends in all
			assert.Zero(t, takes(func() { loud.courtesy(s.Boot(), floodAfter-1, true); loud.courtesy(s.Boot(), 1, false) }))
		}
		time.Sleep(othersFor + 1)
		assert.Zero(t, takes(func() { floods(loud) }), "the others are gone")
	})
}
