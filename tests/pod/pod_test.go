package pod

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/container"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

func TestMain(m *testing.M) {
	container.Enter()
	os.Exit(program.Run(m))
}

// pod is the volumes that its containers share, and the manifest by which they run.
type pod struct {
	manifest manifest
	shared   string            // the folder of the socket
	mounted  map[string]string // volume to folder
}

// newPod makes the volumes as kubelet does: an emptyDir is open to all and hands down the pod's group, and the files
// of a secret belong to it.
func newPod(t *testing.T, databaseURL string) *pod {
	t.Helper()
	p := &pod{manifest: read(t, "sidecar/pod.yaml"), mounted: make(map[string]string)}
	for _, v := range p.manifest.Volumes {
		folder := memory(t)
		if v.Secret != nil {
			file := filepath.Join(folder, "url")
			require.NoError(t, os.WriteFile(file, []byte(databaseURL+"\n"), v.Secret.DefaultMode))
			require.NoError(t, os.Chown(file, 0, p.manifest.Security.FSGroup))
		}
		require.NoError(t, os.Chown(folder, 0, p.manifest.Security.FSGroup))
		require.NoError(t, os.Chmod(folder, 0o777|os.ModeSetgid))
		p.mounted[v.Name] = folder
	}
	p.shared = p.mounted["finalizer-watchdog"]
	require.NotEmpty(t, p.shared)
	return p
}

// memory is a folder in memory.
func memory(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "wd")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// mounts are the container's, as it has them in its manifest.
func (p *pod) mounts(s sidecar) []container.Mount {
	var all []container.Mount
	for _, m := range s.Mounts {
		all = append(all, container.Mount{From: p.mounted[m.Name], At: m.At, ReadOnly: m.ReadOnly})
	}
	return all
}

// serve starts the watchdog in a container of its own, whose root has nothing but the program, and waits until the
// startup probe succeeds.
func (p *pod) serve(t *testing.T, cgroups ...string) *program.Watchdog {
	t.Helper()
	s := p.manifest.InitContainers[0]
	var places []string
	for _, m := range s.Mounts {
		places = append(places, m.At)
	}
	// The page needs a free port; all else is as in the manifest.
	env := []string{"PATH=/", "WATCHDOG_LISTEN=127.0.0.1:0", "WATCHDOG_LOG_FORMAT=json"}
	for _, e := range s.Env {
		env = append(env, e.Name+"="+e.Value)
	}
	c := container.Container{
		Root:    container.Scratch(t, program.Binary(t), places...),
		Mounts:  p.mounts(s),
		User:    s.Security.User,
		Group:   s.Security.Group,
		Groups:  []int{p.manifest.Security.FSGroup},
		Command: append([]string{"/watchdog"}, s.Args...),
		Env:     env,
		Cgroups: cgroups,
	}
	w := &program.Watchdog{Process: program.Start(t, c.Cmd(t)), Socket: filepath.Join(p.shared, "heartbeat.sock")}
	w.Await(t)
	w.Get(t, s.Startup.HTTP.Path)
	return w
}

// orchestrator runs a finalizer in a container whose first process is a shell and outlives it.
func (p *pod) orchestrator(t *testing.T, groups ...int) *program.Peer {
	t.Helper()
	return program.ConnectBy(t, p.beside(t, "/run/finalizer; exec sleep 1000000", groups...).Cmd(t))
}

// beside is the orchestrator's container. Its root is this machine's, and it runs a shell's command.
func (p *pod) beside(t *testing.T, command string, groups ...int) container.Container {
	t.Helper()
	s := read(t, "example/deployment.yaml").Containers[0]
	self, err := os.Executable()
	require.NoError(t, err)
	mounts := append([]container.Mount{{At: "/run"}, {From: self, At: "/run/finalizer", ReadOnly: true}}, p.mounts(s)...)
	return container.Container{
		Root:    "/",
		Mounts:  mounts,
		User:    s.Security.User,
		Group:   s.Security.Group,
		Groups:  groups,
		Command: []string{"/bin/sh", "-c", command},
		Env:     append(program.PeerEnv("/run/watchdog/heartbeat.sock"), "PATH=/usr/bin:/bin"),
	}
}

// kill kills the finalizer, and not the shell that started it.
func kill(t *testing.T, orchestrator *program.Peer) {
	t.Helper()
	path := fmt.Sprintf("/proc/%d/task/%[1]d/children", orchestrator.PID)
	children, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, strings.Fields(string(children)), 1, "its children: %s", children)
	finalizer, err := strconv.Atoi(strings.TrimSpace(string(children)))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(finalizer, syscall.SIGKILL))
}
