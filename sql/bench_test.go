package sql

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/tests/pg"
)

// BenchmarkReap takes the time of the reap of one job and of each call in it, beside one committed UPDATE of the same
// row: what a database that makes its commits durable cannot do without.
func BenchmarkReap(b *testing.B) {
	b.Run("postgres", func(b *testing.B) {
		d, err := pg.Start(b, pg.WithFsync()).Create()
		require.NoError(b, err)
		f := &fixture{dialect: postgres, config: Config{URL: d.URL(), Timeout: timeout}, db: d.Open(b), pg: d}
		f.fill(b)
		benchmarkReap(b, f)
	})
	b.Run("sqlite", func(b *testing.B) { benchmarkReap(b, onSQLite(b)) })
}

func benchmarkReap(b *testing.B, f *fixture) {
	f.task(b)
	f.job(b, 1914, "'running'", f.at(-time.Hour), f.at(-time.Hour))
	f.run(b, 2207, 1914, f.at(-time.Hour), f.at(-time.Minute))
	ids := []watchdog.JobID{"1914"}
	ctx := b.Context()
	took := map[string]time.Duration{}
	last := time.Now()
	lap := func(name string) {
		now := time.Now()
		took[name] += now.Sub(last)
		last = now
	}
	for b.Loop() {
		last = time.Now()
		jobs, err := f.store.Jobs(ctx, noon, ids)
		require.NoError(b, err)
		lap("read")
		tx, err := f.store.Begin(ctx)
		require.NoError(b, err)
		lap("begin")
		_, err = tx.Lock(ctx, "1914")
		require.NoError(b, err)
		lap("lock")
		changed, err := tx.Requeue(ctx, noon, "1914", jobs[0].Version)
		require.NoError(b, err)
		require.True(b, changed)
		lap("update")
		require.NoError(b, tx.Commit(ctx))
		lap("commit")
		f.exec(b, "UPDATE jobs SET status = 'running', started_at = "+f.at(-time.Hour)+" WHERE id = 1914")
		lap("floor")
	}
	n := float64(b.N) * 1e3
	total := 0.0
	for name, d := range took {
		b.ReportMetric(float64(d)/n, name+"-µs")
		if name != "floor" {
			total += float64(d)
		}
	}
	b.ReportMetric(total/n, "reap-µs")
	b.ReportMetric(total/float64(took["floor"]), "reap/floor")
	b.ReportMetric(0, "ns/op")
}
