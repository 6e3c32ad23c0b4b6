package bench

import (
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// duePage is as many due jobs as a pass reads at once.
const duePage = 5000

// passes takes how long a pass of the reaper is, by how many jobs are open and due. Those that are due are owned, so
// that each pass reads and defers all.
func passes(t *testing.T, s scale, server *pg.Server) section {
	result := section{
		title: "4. A pass of the reaper",
		method: fmt.Sprintf("Over %s jobs that are done, and some that are open. Those that are due are owned: each pass reads, judges and defers every one. "+
			"Beside it psql -At, which runs the same statement as often, to /dev/null. Medians of %d passes, the two in turns.", count(float64(s.history)), s.passes),
		beside: "psql",
	}
	d := database(t, server)
	history(t, d, s.history)
	var idle, resident []float64 // with none due
	total := 0
	for _, open := range s.open {
		added(t, d, s.history+total+1, open-total, "'running'", d.Ago(10*time.Minute), "NULL")
		total = open
		for _, due := range s.due {
			if due > open {
				continue
			}
			d.Exec(t, fmt.Sprintf("UPDATE agent_runs SET finished_at = NULL WHERE id > %d AND finished_at IS NOT NULL", s.history))
			ours, theirs, memory := pass(t, s, d, due)
			if due == 0 {
				idle, resident = append(idle, median(ours)), append(resident, memory)
			}
			result.lines = append(result.lines, line{what: fmt.Sprintf("%s open, %s due", count(float64(open)), count(float64(due))),
				ours: span(seconds(median(ours))), beside: span(seconds(median(theirs))), ratio: median(ratios(ours, theirs)), limit: limit{most: 1.5}})
			t.Logf("%s: %s beside %s, %.1f MiB", result.lines[len(result.lines)-1].what, span(seconds(median(ours))), span(seconds(median(theirs))), memory)
		}
	}
	last := len(s.open) - 1
	few := count(float64(s.open[0])) + " open: "
	what := fmt.Sprintf("%s open, none due, by %s", count(float64(s.open[last])), count(float64(s.open[0])))
	result.lines = append(result.lines,
		line{what: what + ": time", ours: span(seconds(idle[last])), beside: few + span(seconds(idle[0])),
			ratio: idle[last] / idle[0], limit: limit{most: 1.5}},
		line{what: what + ": memory", ours: fmt.Sprintf("%.1f MiB", resident[last]), beside: fmt.Sprintf("%s%.1f MiB", few, resident[0]),
			ratio: resident[last] / resident[0], limit: limit{most: 1.1}})
	return result
}

// history adds jobs that are done, one a minute.
func history(t *testing.T, d *program.Database, jobs int) {
	t.Helper()
	ago := func(minutes string) string { return "now() - " + minutes + " * interval '1 minute'" }
	added(t, d, 1, jobs, "'done'", ago("(n + 2)"), ago("n"))
}

// pass takes passes with so many due, in seconds, and psql's in turns with them, and the memory then.
func pass(t *testing.T, s scale, d *program.Database, due int) (ours, theirs []float64, resident float64) {
	t.Helper()
	w := program.Serve(t, program.For(t, d.URL).With(program.Settings{"REAPER_INTERVAL": s.interval.String()}))
	defer finish(t, w.Process)
	if due > 0 {
		owner := cast(t, "owner", w.Socket, strconv.Itoa(due), strconv.Itoa(s.history))
		defer finish(t, owner)
		defer w.Signal(t, syscall.SIGSTOP) // it must not see the owner die
		d.Exec(t, fmt.Sprintf("UPDATE agent_runs SET finished_at = %s WHERE id > %d AND id <= %d", d.Ago(9*time.Minute), s.history, s.history+due))
	}
	require.NoError(t, d.Try("VACUUM ANALYZE jobs"))
	require.NoError(t, d.Try("VACUUM ANALYZE agent_runs"))
	afters := []string{""}
	for read := duePage; read <= due; read += duePage {
		afters = append(afters, strconv.Itoa(s.history+read))
	}
	peer := startPSQL(t, d)
	peer.run(t, "due_jobs", duePage, afters...) // what is read for the first time comes from the disk
	awaitPass(t, w)
	awaitPass(t, w) // the one before may have begun when less was due
	for range s.passes {
		ours = append(ours, awaitPass(t, w))
		<-time.After(s.interval / 2) // psql, too, comes after a pause
		theirs = append(theirs, peer.run(t, "due_jobs", duePage, afters...).Seconds())
	}
	require.Zero(t, w.Metric(t, "reaper_pass_failures_total"))
	require.Zero(t, d.Text(t, "SELECT nullif(count(*), 0) FROM jobs WHERE status = 'queued'"), "none was reaped")
	return ours, theirs, w.Resident(t)
}

// awaitPass waits for a pass to end and returns how long it was.
func awaitPass(t *testing.T, w *program.Watchdog) (seconds float64) {
	t.Helper()
	made, took := w.Metric(t, "reaper_pass_duration_seconds_count"), w.Metric(t, "reaper_pass_duration_seconds_sum")
	var n float64
	program.Eventually(t, "a pass is made", func() bool {
		n = w.Metric(t, "reaper_pass_duration_seconds_count")
		return n > made
	})
	return (w.Metric(t, "reaper_pass_duration_seconds_sum") - took) / (n - made)
}
