package reaper_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

func BenchmarkDecide(b *testing.B) {
	f, p := facts(finished(5*time.Minute), owned(watchdog.Connected), step(time.Hour))
	for b.Loop() {
		_ = p.Decide(f, instant())
	}
}

// everybody is a registry in which every job is owned.
type everybody struct{ deaths chan struct{} }

func (e everybody) Look(_ watchdog.Instant, jobs []watchdog.Job) []watchdog.Claim {
	claims := make([]watchdog.Claim, len(jobs))
	for i, j := range jobs {
		claims[i].Owner = &watchdog.Owner{Job: j.ID, Run: j.Run, State: watchdog.Connected}
	}
	return claims
}

func (e everybody) Deaths() <-chan struct{}                                  { return e.deaths }
func (e everybody) TakeDead(int) ([]watchdog.JobID, bool)                    { return nil, false }
func (e everybody) Revoke(time.Duration, []watchdog.Judged) []watchdog.JobID { return nil }
func (e everybody) Settle(time.Duration, []watchdog.JobID)                   {}

// BenchmarkPass is a pass over 10 000 due jobs that all are owned.
func BenchmarkPass(b *testing.B) {
	started := time.Now()
	clock := func() time.Duration { return time.Hour + time.Since(started) }
	db, on, done := newStore(clock), new(atomic.Bool), make(chan struct{})
	on.Store(true)
	at := time.Now().Add(-time.Hour)
	for i := range 10_000 {
		db.put(watchdog.Job{ID: watchdog.JobID(fmt.Sprintf("%05d", i)), Run: "1", Stage: "deploy-staging",
			Status: watchdog.StatusRunning, CreatedAt: at, StartedAt: at, RunStartedAt: at, FinishedAt: at})
	}
	r := reaper.New(reaper.Options{Policy: policy(), Interval: time.Hour, Liveness: on, Store: db,
		Owners: everybody{make(chan struct{})}, Observer: passed{newSeen(), done}, Boot: clock,
		Log: slog.New(slog.DiscardHandler), Audit: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	<-done
	b.ReportAllocs()
	for b.Loop() {
		r.ReleaseBrake("a benchmark") // has a pass made
		<-done
	}
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

// passed tells of each pass.
type passed struct {
	*seen
	done chan<- struct{}
}

func (p passed) PassDone(time.Duration, bool) { p.done <- struct{}{} }
