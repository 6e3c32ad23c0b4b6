package hostile

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// memory is what the watchdog is told of the memory that there is for it, and resident what it takes of it at most,
// in MiB: half as much as in the container of deploy/kubernetes or, when the figures are wanted, as without a limit, with
// as many connections as there may be and texts as short as they are here.
func memory() string {
	if full() {
		return "GOMEMLIMIT=off"
	}
	return "GOMEMLIMIT=96MiB"
}

func bound() float64 {
	if full() {
		return 640
	}
	return 128
}

// span is how long each kind of peer is watched.
func span() time.Duration {
	if full() {
		return 5 * time.Second
	}
	return 150 * time.Millisecond
}

func TestHostilePeers(t *testing.T) {
	d := program.OnPostgres(t, pg.New(t))
	fill(t, d)
	w := program.Serve(t, program.For(t, d.URL).With(program.Settings{"HEARTBEAT_LEASE": "2s", "REAPER_BRAKE_RATIO": "1"}), memory())
	var all []*finalizer
	for job := 1; job <= honest; job++ {
		all = append(all, finalize(t, w.Socket, job))
	}
	for _, f := range all {
		program.Eventually(t, "the database confirms its ownership", func() bool {
			_, err := f.check()
			return err == nil
		})
	}

	table := tabwriter.NewWriter(t.Output(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "a peer that\tcheck p50\tp99\tratio\ta pass\tratio\tresident\t")
	before := watch(t, w, all)
	before.tell(table, "(none)", before)
	for _, kind := range []string{computes, floodsMarks, marksClears, marksAll, asksDeaf, connectsIdle, drips, eventsDeaf} {
		p := loose(t, kind, w.Socket)
		if kind == eventsDeaf {
			d.Exec(t, fmt.Sprintf("UPDATE jobs SET created_at = %s, started_at = %[1]s WHERE id > %d", d.Ago(24*time.Hour), honest+crowd),
				fmt.Sprintf("UPDATE agent_runs SET started_at = %s, finished_at = %[1]s WHERE job_id > %d", d.Ago(24*time.Hour), honest+crowd))
		}
		now := watch(t, w, all)
		now.tell(table, kind, before)
		assert.Less(t, now.resident, bound(), kind)
		if kind == eventsDeaf {
			reaped(t, d, 2*crowd) // while it lives, for their age
		}
		select {
		case <-p.Ended():
			t.Fatalf("%s: it ended:\n%s", kind, p.Output())
		default:
		}
		p.Signal(t, syscall.SIGKILL)
		program.Eventually(t, "the watchdog has seen it go", func() bool {
			return w.Metric(t, `finalizer_sessions{proof="pidfd"}`) <= honest+1 && w.Metric(t, "finalizer_owned") == honest
		})
		if kind == marksAll {
			reaped(t, d, crowd) // for its death
		}
	}
	require.NoError(t, table.Flush())
	assert.Equal(t, fmt.Sprint(honest), d.Text(t, fmt.Sprintf("SELECT count(*) FROM jobs WHERE status = 'running' AND id <= %d", honest)), "nobody's job was taken")
}

// reaped waits until so many of the crowds' jobs are reaped.
func reaped(t *testing.T, d *program.Database, jobs int) {
	t.Helper()
	program.Eventually(t, fmt.Sprintf("%d of the crowds' jobs are reaped", jobs), func() bool {
		return d.Text(t, fmt.Sprintf("SELECT count(*) FROM jobs WHERE status = 'queued' AND id > %d", honest)) == fmt.Sprint(jobs)
	})
}

// fill makes jobs whose runs finished longer than a grace ago: the reaper looks at each in each pass.
func fill(t *testing.T, d *program.Database) {
	t.Helper()
	at := d.Ago(10 * time.Minute)
	d.Exec(t,
		"INSERT INTO tasks (id, ref, title, stage) VALUES (1, 'ORCH-1', 'a task', 'deploy-staging')",
		fmt.Sprintf("INSERT INTO jobs (id, task_id, status, attempt, created_at, started_at) SELECT i, 1, 'running', 1, %s, %[1]s FROM generate_series(1, %d) i", at, honest),
		fmt.Sprintf("INSERT INTO jobs (id, task_id, status, attempt, created_at, started_at) SELECT i, 1, 'running', 1, %s, %[1]s FROM generate_series(%d, %d) i", d.Ago(0), honest+1, honest+2*crowd),
		fmt.Sprintf("INSERT INTO agent_runs (id, job_id, exit_code, started_at, finished_at) SELECT id + %d, id, 0, started_at, started_at FROM jobs", program.FirstRun(0)),
		"ANALYZE jobs, agent_runs")
}

// figures are what the honest see while somebody misbehaves.
type figures struct {
	checks   []time.Duration
	pass     time.Duration // mean
	resident float64       // MiB
}

// watch has the honest work for a span, and on until the second pass has ended: the first may have begun before.
func watch(t *testing.T, w *program.Watchdog, all []*finalizer) (f figures) {
	t.Helper()
	const passes = "reaper_pass_duration_seconds"
	sum, count := w.Metric(t, passes+"_sum"), w.Metric(t, passes+"_count")
	var ended float64
	program.Eventually(t, "two passes end", func() bool {
		f.checks = append(f.checks, work(t, all, span())...)
		ended = w.Metric(t, passes+"_count") - count
		return ended > 1
	})
	slices.Sort(f.checks)
	f.pass = time.Duration((w.Metric(t, passes+"_sum") - sum) / ended * float64(time.Second))
	f.resident = resident(t, w.PID)
	return f
}

func (f figures) tell(table *tabwriter.Writer, kind string, alone figures) {
	p99 := quantile(f.checks, 99)
	fmt.Fprintf(table, "%s\t%v\t%v\t%.1f\t%v\t%.1f\t%.0f MiB\t\n", kind, quantile(f.checks, 50).Round(time.Microsecond), p99.Round(time.Microsecond),
		ratio(p99, quantile(alone.checks, 99)), f.pass.Round(10*time.Microsecond), ratio(f.pass, alone.pass), f.resident)
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }

func resident(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "VmRSS:")
	require.True(t, found)
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	require.NoError(t, err)
	return kib / 1024
}
