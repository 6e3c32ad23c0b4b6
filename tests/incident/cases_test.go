package incident

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

func TestMain(m *testing.M) { os.Exit(program.Run(m)) }

const (
	job     = 1914
	guarded = "deploy-staging"
	other   = "review"

	pastGrace   = 10 * time.Minute
	pastCeiling = 3 * time.Hour
)

// mark is the request that marks a job as its first run's finalizer.
func mark(id int64) string {
	return fmt.Sprintf(`{"op":"mark","job":%d,"run":%d,"key":"t-7","stage":"deploy-staging"}`, id, program.FirstRun(id))
}

// owned starts a finalizer of a job that has just finished, as a process of its own.
func owned(t *testing.T, w *program.Watchdog, d *program.Database, id int64, stage string) (*program.Peer, uint64) {
	t.Helper()
	d.Finished(t, id, stage)
	p := program.Connect(t, w.Socket)
	reply := p.Ask(t, mark(id))
	require.True(t, reply.OK, "%+v", reply)
	return p, reply.Token
}

// becomes waits until the job's status and attempt are the given ones.
func becomes(t *testing.T, d *program.Database, id int64, status string) {
	t.Helper()
	program.Eventually(t, fmt.Sprintf("job %d is %s", id, status), func() bool { return d.Status(t, id) == status })
}

// passes waits until the reaper has made some passes more.
func passes(t *testing.T, w *program.Watchdog, more float64) {
	t.Helper()
	upTo := w.Metric(t, "reaper_passes_total") + more
	program.Eventually(t, "the reaper passes", func() bool { return w.Metric(t, "reaper_passes_total") >= upTo })
}

func ofJob(id int64) client.Job {
	return client.Job{ID: fmt.Sprint(id), Run: fmt.Sprint(program.FirstRun(id)), Stage: guarded}
}

func newClient(t *testing.T, socket string) *client.Client {
	c := client.New(client.Options{Socket: socket, Name: "orchestrator-0", Timeout: program.Patience})
	t.Cleanup(c.Close)
	return c
}

// confirmed checks until the answer is yes: a database that is busy may not confirm the ownership in time.
func confirmed(t *testing.T, o *client.Ownership) {
	t.Helper()
	program.Eventually(t, "the check is answered with a promise", func() bool { return o.Check(t.Context()).State == client.OK })
}

func TestTC01MarkLookUpClear(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		w := program.Serve(t, program.For(t, d.URL))
		d.Finished(t, job, guarded)
		o, err := newClient(t, w.Socket).Mark(t.Context(), ofJob(job))
		require.NoError(t, err)
		shown := w.Queue(t, job)
		require.NotNil(t, shown.Owner)
		assert.Equal(t, "connected", shown.Owner.State)
		assert.Equal(t, "orchestrator-0", shown.Owner.Name)
		assert.Equal(t, os.Getpid(), shown.Owner.PID)
		assert.Equal(t, "pidfd", shown.Owner.Proof)
		assert.InDelta(t, 1, w.Metric(t, "finalizer_owned"), 0)

		o.Clear()
		assert.InDelta(t, 0, w.Metric(t, "finalizer_owned"), 0)
		assert.InDelta(t, 1, w.Metric(t, `finalizer_releases_total{how="clear"}`), 0)
		program.Eventually(t, "/queue shows no owner", func() bool { return w.Queue(t, job).Owner == nil })
	})
}

// The watchdog's absence, or its death in the middle, is never an error into the caller.
func TestTC01NeverAnErrorIntoTheCaller(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		nobody := client.New(client.Options{Socket: filepath.Join(t.TempDir(), "none.sock")})
		defer nobody.Close()
		o, err := nobody.Mark(t.Context(), ofJob(job))
		require.NoError(t, err)
		answer := o.Check(t.Context())
		assert.Equal(t, client.Unknown, answer.State)
		assert.True(t, answer.Proceed(client.UnlessRevoked))
		o.Clear()

		w := program.Serve(t, program.For(t, d.URL))
		d.Finished(t, job, guarded)
		o, err = newClient(t, w.Socket).Mark(t.Context(), ofJob(job))
		require.NoError(t, err)
		confirmed(t, o)
		w.Signal(t, syscall.SIGKILL)
		w.Wait(t, program.Patience)
		answer = o.Check(t.Context())
		assert.Equal(t, client.Unknown, answer.State)
		assert.NoError(t, o.Context(t.Context()).Err())
		o.Clear()
	})
}

func TestTC02ReleasedWhenTheFinalizerFails(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		const grace = 3 * time.Second // long enough to mark the job in
		w := program.Serve(t, program.For(t, d.URL).With(program.Settings{
			"HEARTBEAT_LEASE": "1s", "REAPER_FINALIZE_GRACE": grace.String()}))
		d.Finished(t, job, guarded)
		c := newClient(t, w.Socket)
		cleared := time.Time{}
		assert.PanicsWithValue(t, "the scan found a secret", func() {
			o, err := c.Mark(t.Context(), ofJob(job))
			require.NoError(t, err)
			d.Age(t, job, pastGrace)
			defer func() {
				cleared = time.Now()
				o.Clear()
			}()
			panic("the scan found a secret")
		})
		assert.InDelta(t, 0, w.Metric(t, "finalizer_owned"), 0)
		becomes(t, d, job, "queued 1")
		assert.GreaterOrEqual(t, time.Since(cleared), grace, "the grace counts from the clear")
		const reaps = `reaper_reaped_total{reason="unfinalized",tier="2"}`
		program.Eventually(t, "it is counted", func() bool { return w.Metric(t, reaps) == 1 })
	})
}

func TestTC03Tier2DefersToALiveOwner(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		w := program.Serve(t, program.For(t, d.URL))
		owned(t, w, d, job, guarded)
		d.Age(t, job, pastGrace)
		const defers = `finalizer_defers_total{reason="connected"}`
		program.Eventually(t, "the reaper defers again and again", func() bool { return w.Metric(t, defers) >= 5 })
		shown := w.Queue(t, job)
		assert.Equal(t, "defer connected", shown.Says())
		assert.Equal(t, 2, *shown.Verdict.Tier)
		assert.Equal(t, "running 1", d.Status(t, job))
	})
}

func TestTC04NotOnAnotherStage(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		w := program.Serve(t, program.For(t, d.URL))
		p, token := owned(t, w, d, job, other)
		d.Age(t, job, pastGrace)
		assert.Equal(t, program.Message{Event: "revoked", Job: "1914", Token: token, Reason: "unfinalized"}, p.Hear(t))
		becomes(t, d, job, "queued 1")
	})
}

func TestTC05SwitchOffIsAsWithoutARegistry(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		w := program.Serve(t, program.For(t, d.URL).With(program.Settings{"REAPER_FINALIZER_LIVENESS_ENABLED": "false"}))
		p, token := owned(t, w, d, job, guarded)
		d.Finished(t, job+1, guarded) // nobody's
		check := fmt.Sprintf(`{"op":"check","job":%d,"token":%d}`, job, token)
		assert.Equal(t, "unavailable", p.Ask(t, check).Error, "no hold is given")

		d.Age(t, job, pastGrace)
		d.Age(t, job+1, pastGrace)
		becomes(t, d, job, "queued 1")
		becomes(t, d, job+1, "queued 1")
		const reaps = `reaper_reaped_total{reason="unfinalized",tier="2"}`
		program.Eventually(t, "both are counted", func() bool { return w.Metric(t, reaps) == 2 })
	})
}

func TestTC05SwitchedOffWhileItServes(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		w := program.Serve(t, program.For(t, d.URL))
		p, _ := owned(t, w, d, job, guarded)
		d.Age(t, job, pastGrace)
		passes(t, w, 3)
		require.Equal(t, "running 1", d.Status(t, job))
		p.Say(t, `{"op":"switch","finalizer_liveness":false}`)
		becomes(t, d, job, "queued 1")
		assert.InDelta(t, 0, w.Metric(t, "reaper_liveness_enabled"), 0)
	})
}

func TestTC06Tier3ReapsAnOwnedJob(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		w := program.Serve(t, program.For(t, d.URL))
		p, token := owned(t, w, d, job, guarded)
		d.Age(t, job, pastCeiling)
		assert.Equal(t, program.Message{Event: "revoked", Job: "1914", Token: token, Reason: "backstop"}, p.Hear(t))
		becomes(t, d, job, "queued 1")
		const reaps = `reaper_reaped_total{reason="backstop",tier="3"}`
		program.Eventually(t, "it is counted", func() bool { return w.Metric(t, reaps) == 1 })
		reply := p.Ask(t, fmt.Sprintf(`{"op":"check","job":%d,"token":%d}`, job, token))
		assert.Equal(t, program.Message{Error: "revoked", Reason: "backstop"}, reply)
	})
}

func TestTC07ADeadFinalizersJobIsRecovered(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		w := program.Serve(t, program.For(t, d.URL))
		p, _ := owned(t, w, d, job, guarded)
		passes(t, w, 2)
		require.Equal(t, "running 1", d.Status(t, job), "alive")
		p.Signal(t, syscall.SIGKILL)
		becomes(t, d, job, "queued 1") // far within the grace of two minutes
		const reaps = `reaper_reaped_total{reason="owner-died",tier="2"}`
		program.Eventually(t, "it is counted", func() bool { return w.Metric(t, reaps) == 1 })
		assert.Contains(t, w.Output(), `"msg":"reaped"`)
	})
}

// A finalizer that checked before it died may have children that still merge: its hold outlives it.
func TestTC07NotWithinAHold(t *testing.T) {
	program.OnBoth(t, func(t *testing.T, d *program.Database) {
		w := program.Serve(t, program.For(t, d.URL))
		p, token := owned(t, w, d, job, guarded)
		var asked time.Time
		var reply program.Message
		program.Eventually(t, "the check is answered with a promise", func() bool {
			asked = time.Now()
			reply = p.Ask(t, fmt.Sprintf(`{"op":"check","job":%d,"token":%d,"hold_s":2}`, job, token))
			return reply.OK
		})
		assert.InDelta(t, 2, reply.HoldS, 0)
		p.Signal(t, syscall.SIGKILL)
		becomes(t, d, job, "queued 1")
		assert.GreaterOrEqual(t, time.Since(asked), 2*time.Second)
	})
}
