package pod

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// What the sidecar is measured with: as many owners as a hundred orchestrators have together, scraped, probed and
// looked at.
const (
	sessions   = 100
	perSession = 100
)

// TestFootprint measures the sidecar under the limits of its manifest: idle, with owners, and with owners whose jobs
// are all due, so that each pass reads and defers every one.
func TestFootprint(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("it looks on for minutes; WATCHDOG_TEST_ALL is not set")
	}
	d := program.OnPostgres(t, pg.New(t))
	p := newPod(t, d.URL)
	limits := p.manifest.InitContainers[0].Resources.Limits
	group := limited(t, limits.Memory, limits.CPU)
	w := p.serve(t, group.folders...)
	table := tabwriter.NewWriter(t.Output(), 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	fmt.Fprintf(table, "limits: %s, %s CPU\tresident\tof the group\tat most\tCPU\tthrottled\t\n", limits.Memory, limits.CPU)
	look := func(what string, span time.Duration) {
		used, waited := w.CPU(t), group.throttled(t)
		watch(t, w, span)
		fmt.Fprintf(table, "%s\t%.0f MiB\t%.0f MiB\t%.0f MiB\t%.1f %%\t%d times\t\n", what, w.Resident(t),
			mebibytes(t, group.usage), mebibytes(t, group.peak),
			100*(w.CPU(t)-used).Seconds()/span.Seconds(), group.throttled(t)-waited)
	}
	look("idle", 30*time.Second)

	const owners = sessions * perSession
	d.Exec(t,
		fmt.Sprintf(`INSERT INTO tasks (id, ref, title, stage) SELECT i, 'ORCH-' || i, 'a task', 'deploy-staging' FROM generate_series(1, %d) i`, owners),
		fmt.Sprintf(`INSERT INTO jobs (id, task_id, status, attempt, created_at, started_at) SELECT id, id, 'running', 1, %s, %[1]s FROM tasks`, d.Ago(0)),
		`INSERT INTO agent_runs (id, job_id, exit_code, started_at, finished_at) SELECT id, id, 0, started_at, started_at FROM jobs`,
		`ANALYZE tasks, jobs, agent_runs`)
	own(t, w.Socket)
	look(fmt.Sprintf("%d owners", owners), 90*time.Second)
	d.Exec(t, `UPDATE jobs SET started_at = started_at - interval '1 hour'`, `UPDATE agent_runs SET started_at = started_at - interval '1 hour'`,
		`UPDATE agent_runs SET finished_at = finished_at - interval '30 minutes'`)
	look("all due", 90*time.Second)

	assert.InDelta(t, owners, w.Metric(t, "finalizer_owned"), 0, "none was lost")
	assert.Less(t, mebibytes(t, group.peak), 0.9*float64(amount(t, limits.Memory, "Mi", 1)), "at least a tenth is spare")
}

// own marks all jobs over many sessions and keeps them owned until the test ends.
func own(t *testing.T, socket string) {
	t.Helper()
	for s := range sessions {
		conn, err := net.Dial("unix", socket)
		require.NoError(t, err)
		var marks strings.Builder
		for i := range perSession {
			job := s*perSession + i + 1
			fmt.Fprintf(&marks, `{"op":"mark","job":%d,"run":%[1]d,"stage":"deploy-staging","task":"ORCH-%[1]d"}`+"\n", job)
		}
		_, err = conn.Write([]byte(marks.String()))
		require.NoError(t, err)
		replies := bufio.NewScanner(conn)
		for range perSession {
			require.True(t, replies.Scan())
			require.Contains(t, replies.Text(), `"ok":true`)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for replies.Scan() {
			}
		}()
		go beat(conn, ended)
		t.Cleanup(func() {
			_ = conn.Close()
			<-ended
		})
	}
}

// beat does what a client does while its finalizers work.
func beat(conn net.Conn, ended <-chan struct{}) {
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
			_, _ = conn.Write([]byte(`{"op":"beat"}` + "\n"))
		}
	}
}

// watch asks of the sidecar for a while what is asked of it in a pod: a scrape every 15 seconds, two probes every 10,
// and a person who looks at the page, which asks every 2.
func watch(t *testing.T, w *program.Watchdog, span time.Duration) {
	t.Helper()
	end := time.After(span)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for second := 0; ; second++ {
		for path, every := range map[string]int{"/metrics": 15, "/healthz": 10, "/readyz": 10, "/queue": 2} {
			if second%every == 0 {
				w.Get(t, path)
			}
		}
		select {
		case <-end:
			return
		case <-ticker.C:
		}
	}
}
