package liveness

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
)

// asking runs a test in a bubble, with a registry that is compared with a database and a peer that owns job 1914.
func asking(t *testing.T, test func(w *world, db *database, a *asker, p *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, began := newWorld(t), time.Now()
		db := &database{boot: func() time.Duration { return time.Hour + time.Since(began) }, newest: make(map[watchdog.JobID]watchdog.RunID)}
		a := newAsker(db, w.Registry, slog.New(slog.DiscardHandler), func() {})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); a.run(ctx) }()
		defer func() { stop(); <-ended }()
		p := w.connect(1000)
		require.Nil(t, p.mark("1914", "1", "").Err)
		synctest.Wait()
		test(w, db, a, p)
	})
}

// TestEachMinuteAllThatIsOwnedIsCompared is about an orchestrator that closes a job whose owner says nothing of it.
func TestEachMinuteAllThatIsOwnedIsCompared(t *testing.T) {
	asking(t, func(w *world, db *database, _ *asker, _ *peer) {
		db.run("1914", "2")
		time.Sleep(closedScan - 1)
		synctest.Wait()
		assert.True(t, w.Owns("1914"))
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		assert.False(t, w.Owns("1914"))
		assert.Equal(t, 1, w.seen.releases["closed"])
	})
}

// TestEachMinuteTheDeadAreTakenAgain is about a reaper that could do nothing for them when they died.
func TestEachMinuteTheDeadAreTakenAgain(t *testing.T) {
	asking(t, func(w *world, _ *database, _ *asker, p *peer) {
		w.Died(p.Session, w.at)
		<-w.Deaths()
		taken, _ := w.TakeDead(10)
		require.Equal(t, []watchdog.JobID{"1914"}, taken)
		time.Sleep(closedScan)
		synctest.Wait()
		assert.Len(t, w.Deaths(), 1)
		taken, _ = w.TakeDead(10)
		assert.Equal(t, []watchdog.JobID{"1914"}, taken)
	})
}

// TestWhatWasAskedInVainIsAskedAgain is about a database that fails once.
func TestWhatWasAskedInVainIsAskedAgain(t *testing.T) {
	asking(t, func(w *world, db *database, a *asker, _ *peer) {
		db.fail(errors.New("connection refused"))
		answer := <-a.ask("1914")
		require.ErrorContains(t, answer.err, "connection refused")
		db.fail(nil)
		db.run("1914", "2")
		time.Sleep(askRetry)
		synctest.Wait()
		assert.False(t, w.Owns("1914"), "although nobody waits for it any more")
		answer = <-a.ask("1914")
		assert.NoError(t, answer.err, "and it counts as being back")
	})
}

// TestWhoBeganToWaitBeforeItFailedIsAnswered is about a question that comes while the one before it is failing.
func TestWhoBeganToWaitBeforeItFailedIsAnswered(t *testing.T) {
	asking(t, func(_ *world, db *database, a *asker, _ *peer) {
		db.fail(errors.New("connection refused"))
		db.hangs = make(chan struct{})
		a.want("1914")
		synctest.Wait()
		waits, began := a.ask("2020"), time.Now()
		close(db.hangs)
		assert.ErrorContains(t, (<-waits).err, "connection refused")
		assert.Zero(t, time.Since(began))
	})
}
