package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// grace is the watchdogs' here.
const grace = 2 * time.Second

// TestClockStep steps the machine's clock by an hour, either way, while the example finalizes.
func TestClockStep(t *testing.T) {
	t.Parallel()
	everyStep(t, program.OnSQLite, "host")
}

func TestDatabaseClockStep(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("set WATCHDOG_TEST_ALL=1 to run it")
	}
	t.Parallel()
	everyStep(t, program.OnSQLite, "database")
}

func TestClockStepOnPostgres(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("set WATCHDOG_TEST_ALL=1 to run it")
	}
	t.Parallel()
	everyStep(t, func(t testing.TB) *program.Database { return program.OnPostgres(t, pg.New(t)) }, "host", "database")
}

func everyStep(t *testing.T, on func(testing.TB) *program.Database, clocks ...string) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		for _, stamps := range clocks {
			t.Run(fmt.Sprintf("%s/%v", stamps, by), func(t *testing.T) {
				t.Parallel()
				step(t, on(t), stamps, by)
			})
		}
	}
}

// The jobs: the first finalizes, the agent of the second works and nobody has marked the third yet when the clock is
// stepped; the fourth comes after.
const (
	finalizing, working, unmarked, later = 1, 2, 3, 4
)

func step(t *testing.T, d *program.Database, stamps string, by time.Duration) {
	clock := program.NewClock(t)
	settings := program.For(t, d.URL).With(program.Settings{"HEARTBEAT_LEASE": "1s", "CHECK_HOLD": "2s",
		"REAPER_GUARDED_STAGES": "*", "REAPER_FINALIZE_GRACE": grace.String(), "REAPER_CLOCK": stamps, "SQL_DIR": steppedNow(t, d)})
	w := &world{Database: d, watchdog: clock.Serve(t, settings), tree: filepath.Join(program.Folder(t), "tree"), env: clock.Env(t)}
	defer w.tell(t, finalizing, working, unmarked, later)
	// In the stage review there is no re-test: the first job merges for a while, and the others never come to it.
	// The agents work for longer than it takes to step the clock.
	orchestrator := w.orchestrator(t, "--agent", "4", "--retest", "600", "--merge", "6")
	w.submit(t, finalizing, "review")
	program.Eventually(t, "the first is owned", func() bool { return w.owned(t, finalizing) == "connected" })
	time.Sleep(grace) // it would be reaped for its age by now
	w.submit(t, working, "deploy-staging")
	program.Eventually(t, "the second's agent works", func() bool { return w.status(t, working) == "running" })
	d.Finished(t, unmarked, "deploy-staging")

	clock.Step(t, by)
	w.ahead = by
	d.Exec(t, fmt.Sprintf("UPDATE clock_step SET seconds = %d", int(by.Seconds())))
	program.Eventually(t, "the jump is noticed", func() bool { return w.watchdog.Metric(t, "reaper_clock_jump") == 1 })
	if by > 0 {
		program.Eventually(t, "who is an hour old now is not reaped for it", func() bool {
			return w.watchdog.Queue(t, unmarked).Says() == "defer clock-jump"
		})
		program.Eventually(t, "that is counted", func() bool {
			return w.watchdog.Metric(t, `finalizer_defers_total{reason="clock-jump"}`) > 0
		})
	} else {
		program.Eventually(t, "who will finish in an hour is shown as malformed", func() bool {
			return w.watchdog.Queue(t, unmarked).Says() == "wait malformed"
		})
	}
	program.Eventually(t, "the first is finalized", func() bool { return w.status(t, finalizing) != "running" })
	assert.Equal(t, "done 1 deploy-staging, merged 1", w.became(t, finalizing), "it was alive all the while")
	program.Eventually(t, "the clock is believed again", func() bool { return w.watchdog.Metric(t, "reaper_clock_jump") == 0 })

	w.submit(t, later, "deploy-staging")
	program.Eventually(t, "the fourth is owned", func() bool { return w.owned(t, later) == "connected" })
	assert.Equal(t, "running 1 deploy-staging, merged 0", w.became(t, working))
	if by > 0 {
		program.Eventually(t, "nobody marks the third, so that it is reaped after the grace", func() bool { return w.reaps(unmarked) == "unfinalized" })
	}
	orchestrator.Signal(t, syscall.SIGKILL)
	program.Eventually(t, "the fourth is recovered", func() bool { return w.status(t, later) == "queued" })
	program.Eventually(t, "the log tells that it was by proof, not for its age", func() bool { return w.reaps(later) == "owner-died" })
	if by > 0 {
		program.Eventually(t, "the second is recovered", func() bool { return w.status(t, working) == "queued" })
		return
	}
	// The second finished before it began, and the third will begin in an hour: nobody judges by such rows.
	assert.Equal(t, "wait malformed", w.watchdog.Queue(t, working).Says())
	// The next orchestrator would claim them again, and merge one while it re-tests another.
	d.Exec(t, fmt.Sprintf("UPDATE jobs SET status = 'done' WHERE id IN (%d, %d)", working, unmarked))
	w.orchestrator(t, "--agent", "0.1", "--retest", "0.1", "--merge", "0.1")
	program.Eventually(t, "the next orchestrator finalizes the fourth", func() bool { return w.status(t, later) == "done" })
	assert.Equal(t, "- -", w.reaps(working)+" "+w.reaps(unmarked))
}

func (w *world) status(t *testing.T, job int64) string {
	return w.Text(t, "SELECT status FROM jobs WHERE id = "+strconv.FormatInt(job, 10))
}

// owned is the state of a job's owner.
func (w *world) owned(t *testing.T, job int64) string {
	if w.status(t, job) != "running" {
		return ""
	}
	if owner := w.watchdog.Queue(t, job).Owner; owner != nil {
		return owner.State
	}
	return ""
}

// steppedNow is a folder with a statement that makes the database's clock one that can be stepped too: SQLite has
// none but its process's, which no file of the product reads, and PostgreSQL's is the machine's.
func steppedNow(t *testing.T, d *program.Database) (folder string) {
	t.Helper()
	folder = program.Folder(t)
	d.Exec(t, "CREATE TABLE clock_step (seconds integer NOT NULL)", "INSERT INTO clock_step VALUES (0)")
	now := "unixepoch('now', 'subsec')"
	if d.Postgres != nil {
		now = "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"
	}
	statement := "SELECT " + now + " + (SELECT seconds FROM clock_step) AS now"
	require.NoError(t, os.WriteFile(filepath.Join(folder, "now.sql"), []byte(statement), 0o600))
	return folder
}
