package clients

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// BenchmarkGoClient tells how long mark, check and clear take with a watchdog that is up, absent and hanging. The
// clients of the other languages have scripts for the same.
//
//	go test -run '^$' -bench GoClient -benchtime 500x ./tests/clients
func BenchmarkGoClient(b *testing.B) {
	b.Run("up", func(b *testing.B) {
		socket := watched(b, max(b.N, owned))
		footprint(b, socket)
		costs(b, socket, 5*time.Millisecond) // a finalizer has something to do before its first check
	})
	b.Run("absent", func(b *testing.B) { costs(b, filepath.Join(program.Folder(b), "none"), 0) })
	b.Run("hanging", func(b *testing.B) {
		socket := filepath.Join(program.Folder(b), "s")
		listener, err := net.Listen("unix", socket)
		require.NoError(b, err)
		defer func() { _ = listener.Close() }()
		costs(b, socket, 0)
	})
}

// owned is how many jobs are owned at once to tell what one costs.
const owned = 1000

// watched starts a watchdog over as many jobs, and one more, and returns its socket.
func watched(b *testing.B, jobs int) string {
	b.Helper()
	d := program.OnSQLite(b)
	d.Exec(b,
		fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO jobs (id, status, attempt, created_at, started_at) SELECT i, 'running', 1, %s, %[2]s FROM n`, jobs, d.Ago(0)),
		`INSERT INTO agent_runs (id, job_id, exit_code, started_at, finished_at) SELECT id + 1, id, 0, started_at, started_at FROM jobs`)
	return program.Serve(b, program.For(b, d.URL)).Socket
}

// costs marks, checks and clears jobs, while another stays owned so that what is known of the watchdog stays known.
func costs(b *testing.B, socket string, pause time.Duration) {
	b.Helper()
	c := client.New(client.Options{Socket: socket})
	defer c.Close()
	keeper := mark(b, c, 0)
	spans := make(map[string][]time.Duration)
	timed := func(name string, call func()) {
		began := time.Now()
		call()
		spans[name] = append(spans[name], time.Since(began))
	}
	for job := range b.N {
		var o *client.Ownership
		timed("mark", func() { o = mark(b, c, job+1) })
		<-time.After(pause)
		timed("check", func() { o.Check(b.Context()) })
		timed("clear", o.Clear)
	}
	keeper.Clear()
	b.ReportMetric(0, "ns/op")
	for name, took := range spans {
		slices.Sort(took)
		b.ReportMetric(took[len(took)/2].Seconds()*1e3, name+"-p50-ms")
		b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, name+"-p99-ms")
	}
}

// footprint tells what owning adds to this process.
func footprint(b *testing.B, socket string) {
	b.Helper()
	before, routines := private(b), runtime.NumGoroutine()
	c := client.New(client.Options{Socket: socket})
	defer c.Close()
	mark(b, c, 1)
	one, added := private(b), runtime.NumGoroutine()-routines
	for job := 2; job <= owned; job++ {
		mark(b, c, job)
	}
	b.ReportMetric(one-before, "first-KiB")
	b.ReportMetric((private(b)-one)/(owned-1), "further-KiB")
	b.ReportMetric(float64(added), "goroutines")
}

func mark(b *testing.B, c *client.Client, job int) *client.Ownership {
	b.Helper()
	o, err := c.Mark(b.Context(), client.Job{ID: strconv.Itoa(job), Run: strconv.Itoa(job + 1)})
	require.NoError(b, err)
	return o
}

// private is the memory that this process has to itself, in KiB.
func private(b *testing.B) float64 {
	b.Helper()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	require.NoError(b, err)
	sum := 0.0
	for _, line := range regexp.MustCompile(`(?m)^Private_\w+: +(\d+) kB`).FindAllStringSubmatch(string(text), -1) {
		kib, err := strconv.ParseFloat(line[1], 64)
		require.NoError(b, err)
		sum += kib
	}
	return sum
}
