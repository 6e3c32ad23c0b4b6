package incident

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

func TestSIGTERMEndsInOrder(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		s := program.For(t, d.URL)
		for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			w := program.Serve(t, s)
			p := program.Connect(t, w.Socket)
			require.True(t, p.Ask(t, `{"op":"beat"}`).OK)
			w.Signal(t, signal)
			assert.Equal(t, 0, w.Wait(t, program.Patience), w.Output())
			assert.Contains(t, w.Output(), `"msg":"the watchdog ends","because":"`+signal.String()+` signal received"`)
			assert.NoFileExists(t, w.Socket)
			assert.Equal(t, 0, p.Wait(t, program.Patience), "the peer was hung up on")
			_, err := net.Dial("unix", w.Socket)
			assert.Error(t, err)
		}
	})
}

// What is not the watchdog's any more stays when it ends.
func TestSIGTERMLeavesAnothersFile(t *testing.T) {
	t.Parallel()
	w := program.Serve(t, program.For(t, program.OnSQLite(t).URL))
	require.NoError(t, os.Remove(w.Socket))
	require.NoError(t, os.WriteFile(w.Socket, []byte("another's"), 0o600))
	assert.Contains(t, w.Body(t, "/readyz"), "not ready\nsocket: another file is in its place; remove "+w.Socket)
	w.Signal(t, syscall.SIGTERM)
	w.Wait(t, program.Patience)
	content, err := os.ReadFile(w.Socket)
	require.NoError(t, err)
	assert.Equal(t, "another's", string(content))
}

func TestASecondWatchdogOnTheSocketRefuses(t *testing.T) {
	t.Parallel()
	d := program.OnSQLite(t)
	s := program.For(t, d.URL)
	first := program.Serve(t, s)
	p, _ := owned(t, first, d, job, guarded)

	second := program.Launch(t, s.With(program.Settings{"DATABASE_URL": program.OnSQLite(t).URL}))
	assert.Equal(t, 1, second.Wait(t, program.Patience))
	assert.Contains(t, second.Output(), first.Socket)
	assert.True(t, p.Ask(t, `{"op":"beat"}`).OK, "the first goes on")
	assert.True(t, program.Connect(t, first.Socket).Ask(t, `{"op":"beat"}`).OK, "and is still found")
}

func TestASecondWatchdogOnTheDatabaseStandsBy(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		first := program.Serve(t, program.For(t, d.URL))
		passes(t, first, 1)
		second := program.Serve(t, program.For(t, d.URL))
		program.Eventually(t, "the second says why", func() bool { return second.Metric(t, "reaper_passes_total") > 0 })
		assert.Contains(t, second.Get(t, "/readyz"), "standby: yes")
		assert.Contains(t, first.Get(t, "/readyz"), "standby: no")

		first.Signal(t, syscall.SIGSTOP)
		d.Finished(t, job, other)
		d.Age(t, job, pastGrace)
		passes(t, second, 5)
		assert.Equal(t, "running 1", d.Status(t, job), "no age rule acts on standby")
		program.Eventually(t, "/queue says so", func() bool { return second.Queue(t, job).Says() == "defer standby" })

		// A death that it can prove itself it acts on.
		p, _ := owned(t, second, d, job+1, guarded)
		p.Signal(t, syscall.SIGKILL)
		becomes(t, d, job+1, "queued 1")

		first.Signal(t, syscall.SIGKILL)
		becomes(t, d, job, "queued 1")
		assert.Contains(t, second.Get(t, "/readyz"), "standby: no")
	})
}

// TestRestart kills the watchdog: its clients connect to the next one and resume, and nothing that they own is
// reaped in between.
func TestRestart(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		s := program.For(t, d.URL).With(program.Settings{"HEARTBEAT_WARMUP": "10s"})
		first := program.Serve(t, s)
		d.Finished(t, job, guarded)
		o, err := newClient(t, first.Socket).Mark(t.Context(), ofJob(job))
		require.NoError(t, err)
		confirmed(t, o)
		first.Signal(t, syscall.SIGKILL)
		first.Wait(t, program.Patience)
		d.Age(t, job, pastGrace)

		second := program.Serve(t, s)
		program.Eventually(t, "the client resumes", func() bool {
			return second.Metric(t, `finalizer_marks_total{result="resumed"}`) == 1
		})
		confirmed(t, o)
		program.Eventually(t, "the warm-up is over", func() bool { return second.Metric(t, "reaper_warming_up") == 0 })
		passes(t, second, 5)
		assert.Equal(t, "running 1", d.Status(t, job))
		assert.False(t, o.Revoked())

		rival := program.Connect(t, second.Socket)
		assert.Equal(t, "owned", rival.Ask(t, fmt.Sprintf(`{"op":"mark","job":%d,"run":%d,"key":"rival"}`, job, program.FirstRun(job))).Error)
	})
}

// A hold that cannot be read any more may be running still: nothing is reaped before the longest would be over.
func TestADamagedStateFileIsTold(t *testing.T) {
	t.Parallel()
	d := program.OnSQLite(t)
	s := program.For(t, d.URL)
	require.NoError(t, os.WriteFile(s["SOCKET"]+".state", []byte("{damaged\n"), 0o600))
	d.Finished(t, job, other)
	d.Age(t, job, pastGrace)
	w := program.Serve(t, s)
	assert.Regexp(t, `"msg":"the state file was damaged: every job counts as held[^"]*","until":"20`, w.Output())
	passes(t, w, 2)
	assert.Equal(t, "defer held", w.Queue(t, job).Says())
}

// A stopped finalizer meets the backstop; when it goes on, the fence holds.
func TestAStoppedFinalizerIsFenced(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		w := program.Serve(t, program.For(t, d.URL).With(program.Settings{"HEARTBEAT_LEASE": "1s"}))
		p, token := owned(t, w, d, job, guarded)
		p.Signal(t, syscall.SIGSTOP)
		d.Age(t, job, pastGrace)
		program.Eventually(t, "it is stalled", func() bool { return w.Metric(t, `finalizer_defers_total{reason="stalled"}`) >= 2 })
		require.Equal(t, "running 1", d.Status(t, job))
		d.Age(t, job, pastCeiling)
		becomes(t, d, job, "queued 1")
		const reaps = `reaper_reaped_total{reason="backstop",tier="3"}`
		program.Eventually(t, "the reap is over", func() bool { return w.Metric(t, reaps) == 1 })
		p.Say(t, fmt.Sprintf(`{"op":"check","job":%d,"token":%d}`, job, token))
		p.Signal(t, syscall.SIGCONT)
		assert.Equal(t, program.Message{Event: "revoked", Job: "1914", Token: token, Reason: "backstop"}, p.Hear(t))
		assert.Equal(t, program.Message{Error: "revoked", Reason: "backstop"}, p.Hear(t))
		program.Eventually(t, "it is counted", func() bool { return w.Metric(t, `reaper_false_reaps_total{tier="3"}`) == 1 })
	})
}
