package bench

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// lookEvery is the grain of the figures: an observer that never pauses would take the CPU from those it observes.
const lookEvery = 200 * time.Microsecond

// recoveries kills finalizers one after another and takes the time until their job is seen recovered by another
// connection. The floor is what no watchdog could beat: the kernel's report of the exit to a waiter on a pidfd, and
// one committed UPDATE on the same database.
func recoveries(t *testing.T, s scale, server *pg.Server) section {
	result := section{
		title: "3. From SIGKILL to the committed recovery",
		method: fmt.Sprintf("%d finalizers each are killed, one after another, until another connection sees the job queued again. "+
			"Beside it the floor, seen in the same way, in turns: the kernel's notice of the same kind of process's exit and one committed UPDATE.", s.kills),
		beside: "floor",
	}
	var postgres time.Duration
	for _, on := range []struct {
		name string
		d    *program.Database
	}{{"SQLite", program.OnSQLite(t)}, {"PostgreSQL, fsync on", database(t, server)}} {
		w := program.Serve(t, program.For(t, on.d.URL).With(program.Settings{"REAPER_INTERVAL": "5s"}))
		var ours, floors []time.Duration
		for i := range s.kills {
			ours = append(ours, recovery(t, w, on.d, int64(2*i+1)))
			floors = append(floors, floor(t, w, on.d, int64(2*i+2)))
		}
		finish(t, w.Process)
		for _, percent := range []int{50, 99} {
			mine, its := at(percent, ours), at(percent, floors)
			result.lines = append(result.lines, line{what: fmt.Sprintf("%s, p%d", on.name, percent), ours: span(mine), beside: span(its),
				ratio: mine.Seconds() / its.Seconds(), limit: limit{most: 2}})
		}
		postgres = median(ours)
	}
	if s.riverJob > 0 {
		besideRiver(t, s, server, &result, postgres)
	}
	return result
}

// besideRiver puts the recovery beside the rescue of a queue that goes by age.
func besideRiver(t *testing.T, s scale, server *pg.Server, result *section, ours time.Duration) {
	t.Helper()
	took, err := rescues(t, s, server)
	if err != nil {
		result.notes = append(result.notes, fmt.Sprintf("River is not to be had here: %v", err))
		t.Log(result.notes[len(result.notes)-1])
		return
	}
	rescue := median(took)
	result.lines = append(result.lines, line{what: "PostgreSQL, p50, beside River's rescuer", ours: span(ours), beside: "River: " + span(rescue),
		ratio: ours.Seconds() / rescue.Seconds()})
	result.notes = append(result.notes, fmt.Sprintf("River rescues by age, after an hour by default (RescueStuckJobsAfter). Here it is set to %v, the least under which it leaves a "+
		"job alone that lives for so long, and the median of %d jobs is told whose workers are killed as they begin (the longest: %v): that time grows with the longest job, the watchdog's does not.",
		s.riverJob, s.riverKills, span(slices.Max(took))))
}

// recovery is the time from the kill of a job's finalizer until its row is seen changed.
func recovery(t *testing.T, w *program.Watchdog, d *program.Database, job int64) time.Duration {
	t.Helper()
	d.Finished(t, job, "deploy-staging")
	p := program.Connect(t, w.Socket)
	require.True(t, p.Ask(t, fmt.Sprintf(`{"op":"mark","job":%d,"run":%d}`, job, program.FirstRun(job))).OK)
	began := time.Now()
	p.Signal(t, syscall.SIGKILL)
	return seen(t, d, job, began)
}

// seen is how long it took until another connection sees the job recovered.
func seen(t *testing.T, d *program.Database, job int64, began time.Time) time.Duration {
	t.Helper()
	for ticker := time.NewTicker(lookEvery); ; <-ticker.C {
		status := d.Status(t, job)
		took := time.Since(began)
		if status == "queued 1" {
			return took
		}
		require.Less(t, took, program.Patience)
	}
}

// floor is the time from the kill of the same kind of process, through the report of its exit and a committed UPDATE, until
// that is seen.
func floor(t *testing.T, w *program.Watchdog, d *program.Database, job int64) time.Duration {
	t.Helper()
	d.Finished(t, job, "deploy-staging")
	p := program.Connect(t, w.Socket)
	require.True(t, p.Ask(t, `{"op":"beat"}`).OK)
	pidfd, err := unix.PidfdOpen(p.PID, 0)
	require.NoError(t, err)
	defer func() { _ = unix.Close(pidfd) }()
	began := time.Now()
	p.Signal(t, syscall.SIGKILL)
	var recovers sync.WaitGroup
	defer recovers.Wait()
	recovers.Go(func() {
		awaitExit(t, pidfd)
		d.Exec(t, fmt.Sprintf("UPDATE jobs SET status = 'queued', started_at = NULL WHERE id = %d", job))
	})
	return seen(t, d, job, began)
}

func awaitExit(t *testing.T, pidfd int) {
	t.Helper()
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 10_000)
		if err == unix.EINTR {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, 1, n)
		return
	}
}
