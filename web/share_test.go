package web_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/web"
)

// slow is a source that takes so long for each page and counts them.
func slow(reads *atomic.Int64, took time.Duration) source {
	return source{page: func(ctx context.Context, _ watchdog.JobID, _ int) (watchdog.Queue, error) {
		reads.Add(1)
		select {
		case <-time.After(took):
			return fullPage(), nil
		case <-ctx.Done():
			return watchdog.Queue{}, ctx.Err()
		}
	}}
}

func TestReadsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int64
		handler := web.Handler(newConfig(slow(&reads, 300*time.Millisecond)))

		var wall sync.WaitGroup
		for range 100 {
			wall.Go(func() { requireStatus(t, http.StatusOK, ask(t.Context(), handler, http.MethodGet, "/queue")) })
		}
		wall.Wait()
		require.EqualValues(t, 1, reads.Load(), "those that come together")

		time.Sleep(900 * time.Millisecond)
		requireStatus(t, http.StatusOK, ask(t.Context(), handler, http.MethodGet, "/queue?limit=1000"))
		require.EqualValues(t, 1, reads.Load(), "and within a second, however they put it")

		requireStatus(t, http.StatusOK, ask(t.Context(), handler, http.MethodGet, "/queue?limit=999"))
		require.EqualValues(t, 2, reads.Load(), "another question")

		time.Sleep(200 * time.Millisecond)
		requireStatus(t, http.StatusOK, ask(t.Context(), handler, http.MethodGet, "/queue"))
		require.EqualValues(t, 3, reads.Load(), "an answer lives for a second")
	})
}

// TestReaderThatLeaves takes nothing from those who wait for the same answer, and leaves nothing running.
func TestReaderThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int64
		handler := web.Handler(newConfig(slow(&reads, time.Second)))

		impatient, leave := context.WithCancel(t.Context())
		var wall sync.WaitGroup
		wall.Go(func() { ask(impatient, handler, http.MethodGet, "/queue") })
		synctest.Wait()
		for range 10 {
			wall.Go(func() { requireStatus(t, http.StatusOK, ask(t.Context(), handler, http.MethodGet, "/queue")) })
		}
		synctest.Wait()
		leave()
		wall.Wait()
		require.EqualValues(t, 2, reads.Load(), "the one that was given up, and one for all who stayed")
	})
}

// TestWaitingReaderThatLeaves is answered at once, not when the read ends.
func TestWaitingReaderThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int64
		handler := web.Handler(newConfig(slow(&reads, 4*time.Second)))
		var wall sync.WaitGroup
		wall.Go(func() { ask(t.Context(), handler, http.MethodGet, "/queue") })
		synctest.Wait()

		began := time.Now()
		impatient, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		ask(impatient, handler, http.MethodGet, "/queue")
		require.Equal(t, time.Second, time.Since(began))
		wall.Wait()
	})
}

func TestTooManyDifferentQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int64
		handler := web.Handler(newConfig(slow(&reads, time.Second)))

		var wall sync.WaitGroup
		for i := range 8 {
			wall.Go(func() {
				requireStatus(t, http.StatusOK, ask(t.Context(), handler, http.MethodGet, fmt.Sprintf("/queue?after=%d", i)))
			})
		}
		synctest.Wait()
		refused := ask(t.Context(), handler, http.MethodGet, "/queue?after=8")
		requireStatus(t, http.StatusServiceUnavailable, refused)
		requireSchema(t, "refusal", refused.Body.Bytes())
		require.NotEmpty(t, refused.Header().Get("Retry-After"))

		wall.Wait()
		requireStatus(t, http.StatusOK, ask(t.Context(), handler, http.MethodGet, "/queue?after=8"))
		require.EqualValues(t, 9, reads.Load(), "finished answers make room, running ones do not")
	})
}

// TestPanicLeavesNoTrap: net/http survives a panic; a flight that never landed would hold its query for ever.
func TestPanicLeavesNoTrap(t *testing.T) {
	broken := true
	handler := web.Handler(newConfig(source{page: func(context.Context, watchdog.JobID, int) (watchdog.Queue, error) {
		if broken {
			panic("a mistake")
		}
		return fullPage(), nil
	}}))
	require.Panics(t, func() { ask(t.Context(), handler, http.MethodGet, "/queue") })
	broken = false
	requireStatus(t, http.StatusOK, ask(t.Context(), handler, http.MethodGet, "/queue"))
}
