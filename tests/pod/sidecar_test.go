package pod

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// TestDeathIsProvenAcrossContainers kills a finalizer whose process ids mean nothing to the watchdog.
func TestDeathIsProvenAcrossContainers(t *testing.T) {
	t.Parallel()
	d := program.OnPostgres(t, pg.New(t))
	p := newPod(t, d.URL)
	w := p.serve(t)
	runsAsTheManifestSays(t, p, w)

	finalizer := p.orchestrator(t, p.manifest.Security.FSGroup)
	d.Finished(t, 1914, "deploy-staging")
	require.True(t, finalizer.Ask(t, `{"op":"mark","job":1914,"run":2207}`).OK)
	assert.InDelta(t, 1, w.Metric(t, `finalizer_sessions{proof="pidfd"}`), 0)
	assert.Equal(t, "pidfd", w.Queue(t, 1914).Owner.Proof)
	assert.NotEqual(t, link(t, w.PID, "ns/pid"), link(t, finalizer.PID, "ns/pid"))

	kill(t, finalizer)
	began := time.Now()
	program.Eventually(t, "the job is recovered", func() bool { return d.Status(t, 1914) == "queued 1" })
	t.Logf("recovered %v after the SIGKILL, seen from outside", time.Since(began).Round(time.Millisecond))
	select {
	case <-finalizer.Ended():
		t.Error("its container ended with it")
	default:
	}
	program.Eventually(t, "it is counted", func() bool { return w.Metric(t, `reaper_reaped_total{reason="owner-died",tier="2"}`) == 1 })
}

// runsAsTheManifestSays holds against the kernel's word what was asked of it.
func runsAsTheManifestSays(t *testing.T, p *pod, w *program.Watchdog) {
	t.Helper()
	s := p.manifest.InitContainers[0].Security
	require.True(t, s.ReadOnly)
	require.False(t, s.Escalate)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.PID))
	require.NoError(t, err)
	for _, line := range []string{
		fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d", s.User),
		fmt.Sprintf("Gid:\t%d\t%[1]d\t%[1]d\t%[1]d", s.Group),
		"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1",
	} {
		assert.Contains(t, string(status), line+"\n")
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", w.PID))
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^\S+ \S+ \S+ \S+ / ro,`, string(mounts), "its root is read-only")

	file, err := os.Stat(w.Socket)
	require.NoError(t, err)
	owner := file.Sys().(*syscall.Stat_t)
	assert.Equal(t, os.FileMode(0o660), file.Mode().Perm())
	assert.Equal(t, []int{s.User, p.manifest.Security.FSGroup}, []int{int(owner.Uid), int(owner.Gid)})
}

func link(t *testing.T, pid int, name string) string {
	t.Helper()
	to, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, name))
	require.NoError(t, err)
	return to
}

// TestOtherGroupsStayOutside: who is not in the pod's group does not get in.
func TestOtherGroupsStayOutside(t *testing.T) {
	t.Parallel()
	p := newPod(t, program.OnPostgres(t, pg.New(t)).URL)
	w := p.serve(t)
	stranger := p.orchestrator(t)
	program.Eventually(t, "its connection is refused", func() bool {
		return strings.Contains(stranger.Output(), "connect: permission denied")
	})
	assert.InDelta(t, 0, w.Metric(t, `finalizer_sessions{proof="pidfd"}`), 0)
}

// TestTheOrchestratorCannotRemoveTheSocket, although its folder is open to all: it is mounted read-only.
func TestTheOrchestratorCannotRemoveTheSocket(t *testing.T) {
	t.Parallel()
	p := newPod(t, "postgres://watchdog@127.0.0.1:1/orchestrator?sslmode=disable")
	w := p.serve(t)
	vandal := program.Start(t, p.beside(t, "rm -f /run/watchdog/*", p.manifest.Security.FSGroup).Cmd(t))
	assert.Equal(t, 1, vandal.Wait(t, program.Patience))
	assert.Equal(t, 3, strings.Count(vandal.Output(), "Read-only file system"), vandal.Output())
	assert.FileExists(t, w.Socket)
}

// TestTheVolumeOutlivesTheContainer kills the sidecar and starts it again, as kubelet does.
func TestTheVolumeOutlivesTheContainer(t *testing.T) {
	t.Parallel()
	d := program.OnPostgres(t, pg.New(t))
	d.Finished(t, 1914, "deploy-staging")
	p := newPod(t, d.URL)
	w := p.serve(t)
	before := p.orchestrator(t, p.manifest.Security.FSGroup)
	owned := before.Ask(t, `{"op":"mark","job":1914,"run":2207}`)
	require.True(t, owned.OK)
	w.Signal(t, syscall.SIGKILL)
	w.Wait(t, program.Patience)

	p.serve(t)
	after := p.orchestrator(t, p.manifest.Security.FSGroup)
	resumed := after.Ask(t, fmt.Sprintf(`{"op":"mark","job":1914,"run":2207,"token":%d}`, owned.Token))
	assert.True(t, resumed.OK, resumed.Error)
	assert.Equal(t, owned.Token, resumed.Token)
	assert.Greater(t, after.Ask(t, `{"op":"mark","job":1915,"run":2208}`).Token, owned.Token)
	assert.Equal(t, "running 1", d.Status(t, 1914))
}

// TestTheOrchestratorStartsWithoutItsDatabase: the startup probe, which the orchestrator waits for, asks for the
// socket only.
func TestTheOrchestratorStartsWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	p := newPod(t, "postgres://watchdog:secret@127.0.0.1:1/orchestrator?sslmode=disable")
	w := p.serve(t)
	for _, probe := range []probe{p.manifest.InitContainers[0].Readiness, p.manifest.InitContainers[0].Liveness} {
		w.Get(t, probe.HTTP.Path)
	}
	assert.True(t, p.orchestrator(t, p.manifest.Security.FSGroup).Ask(t, `{"op":"beat"}`).OK)
	assert.NotContains(t, w.Output(), "secret@")
}
