package kill

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

func TestMain(m *testing.M) { os.Exit(program.Run(m)) }

// lookEvery is the grain of the figures: an observer that never pauses would take the CPU from those it observes.
const lookEvery = 200 * time.Microsecond

// full reports whether the figures are wanted, and not only that they can be had.
func full() bool { return os.Getenv("WATCHDOG_TEST_ALL") != "" }

// TestRecoveryFigures kills finalizers one after another and takes the time until their job is seen recovered by
// another connection. The floor is what no watchdog could beat: the kernel's report of the exit to a waiter on
// a pidfd, and one committed UPDATE on the same database.
func TestRecoveryFigures(t *testing.T) {
	kills := 5
	if full() {
		kills = 200
	}
	table := tabwriter.NewWriter(t.Output(), 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "%d kills each\tp50\tp99\tmax\t\n", kills)
	for _, on := range []struct {
		name string
		make func(testing.TB) *program.Database
	}{
		{"SQLite", program.OnSQLite},
		{"PostgreSQL, fsync on", func(t testing.TB) *program.Database {
			in, err := pg.Start(t, pg.WithFsync()).Create()
			require.NoError(t, err)
			return program.OnPostgres(t, in)
		}},
	} {
		d := on.make(t)
		w := program.Serve(t, program.For(t, d.URL).With(program.Settings{"REAPER_INTERVAL": "5s"}))
		tell(table, on.name+": SIGKILL to committed recovery", measure(kills, func(i int) time.Duration { return recovery(t, w, d, int64(i+1)) }))
		tell(table, on.name+": floor", measure(kills, func(i int) time.Duration { return floor(t, w, d, int64(kills+i+1)) }))
	}
	require.NoError(t, table.Flush())
}

func measure(n int, once func(int) time.Duration) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = once(i)
	}
	slices.Sort(all)
	return all
}

func tell(table *tabwriter.Writer, what string, sorted []time.Duration) {
	at := func(q int) time.Duration { return sorted[(len(sorted)-1)*q/100].Round(10 * time.Microsecond) }
	fmt.Fprintf(table, "%s\t%v\t%v\t%v\t\n", what, at(50), at(99), at(100))
}

// recovery is the time from the kill of a job's finalizer until its row is seen changed.
func recovery(t *testing.T, w *program.Watchdog, d *program.Database, job int64) time.Duration {
	t.Helper()
	d.Finished(t, job, "deploy-staging")
	p := program.Connect(t, w.Socket)
	require.True(t, p.Ask(t, fmt.Sprintf(`{"op":"mark","job":%d,"run":%d}`, job, program.FirstRun(job))).OK)
	began := time.Now()
	p.Signal(t, syscall.SIGKILL)
	for ticker := time.NewTicker(lookEvery); ; <-ticker.C {
		status := d.Status(t, job)
		took := time.Since(began)
		if status == "queued 1" {
			require.Less(t, took, 5*time.Second, "the grace is two minutes, the interval five seconds")
			return took
		}
		require.Less(t, took, program.Patience)
	}
}

// floor is the time from the kill of the same kind of process, through the report of its exit, to a committed
// UPDATE.
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
	wait(t, pidfd)
	d.Exec(t, fmt.Sprintf("UPDATE jobs SET status = 'queued', started_at = NULL WHERE id = %d", job))
	return time.Since(began)
}

func wait(t *testing.T, pidfd int) {
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
