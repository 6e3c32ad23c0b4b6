package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// TestEachWrite lets each write of a reap fail, and fail although it persisted: the owner is revoked all the same
// and stays so, the row is changed once, and the next pass finds nothing more to do.
func TestEachWrite(t *testing.T) {
	const last = 3 // attempts, by default
	for name, c := range map[string]struct {
		at      string
		when    pg.Moment
		attempt int // of the job
		status  string
		outcome string // in the audit
	}{
		"the requeue fails":                {"UPDATE jobs", pg.Before, 1, "queued 1", `"outcome":"committed"`},
		"the requeue's answer is lost":     {"UPDATE jobs", pg.After, 1, "queued 1", `"outcome":"committed"`},
		"the commit fails":                 {commit, pg.Before, 1, "queued 1", `"outcome":"committed after a retry"`},
		"the commit persists":              {commit, pg.After, 1, "queued 1", `"outcome":"presumed: the row is another version"`},
		"the failing fails":                {"UPDATE jobs", pg.Before, last, "failed 3", `"outcome":"committed"`},
		"the commit of a failing fails":    {commit, pg.Before, last, "failed 3", `"outcome":"committed after a retry"`},
		"the commit of a failing persists": {commit, pg.After, last, "failed 3", `"outcome":"presumed: the row is another version"`},
	} {
		if c.attempt == last && !full() {
			continue // as the others, with another statement
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const job = 1914
			in := pg.New(t)
			d := program.OnPostgres(t, in)
			proxy := pg.NewProxy(t, in.Server.Addr)
			w := program.Serve(t, program.For(t, in.At(proxy.Addr)+"?sslmode=disable").With(program.Settings{"DATABASE_TIMEOUT": "2s"}))
			d.Finished(t, job, "deploy-staging")
			d.Exec(t, fmt.Sprintf("UPDATE jobs SET attempt = %d WHERE id = %d", c.attempt, job))
			p := program.Connect(t, w.Socket)
			reply := p.Ask(t, fmt.Sprintf(`{"op":"mark","job":%d,"run":%d}`, job, program.FirstRun(job)))
			require.True(t, reply.OK, "%+v", reply)

			proxy.Cut(c.at, c.when)
			d.Age(t, job, 24*time.Hour)
			assert.Equal(t, program.Message{Event: "revoked", Job: "1914", Token: reply.Token, Reason: "backstop"}, p.Hear(t))
			check := fmt.Sprintf(`{"op":"check","job":%d,"token":%d}`, job, reply.Token)
			assert.Equal(t, "revoked", p.Ask(t, check).Error)
			const reaps = `reaper_reaped_total{reason="backstop",tier="3"}`
			program.Eventually(t, "the reap is over", func() bool { return w.Metric(t, reaps) == 1 })
			assert.Equal(t, c.status, d.Status(t, job))
			assert.Contains(t, w.Output(), c.outcome)
			assert.Positive(t, w.Metric(t, "reaper_pass_failures_total")+w.Metric(t, `reaper_failures_total{phase="commit"}`)+
				w.Metric(t, `reaper_failures_total{phase="update"}`), "it did fail")

			passes := w.Metric(t, "reaper_passes_total")
			program.Eventually(t, "it goes on", func() bool { return w.Metric(t, "reaper_passes_total") > passes+2 })
			assert.InDelta(t, 1, w.Metric(t, reaps), 0)
			assert.InDelta(t, 0, w.Metric(t, "reaper_pending_reaps"), 0)
			assert.Equal(t, c.status, d.Status(t, job))
			assert.Equal(t, program.Message{Error: "revoked", Reason: "backstop"}, p.Ask(t, check))
		})
	}
}
