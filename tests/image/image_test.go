package image

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/container"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

func TestMain(m *testing.M) {
	container.Enter()
	os.Exit(program.Run(m))
}

const (
	ours      = "localhost/watchdog:ours"
	version   = "v1.2.3-test"
	maxBytes  = 20_000_000
	stoppedIn = 10 * time.Second
)

// TestImage builds the image, looks at what is in it, and runs it.
func TestImage(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("it builds an image, which takes a minute; WATCHDOG_TEST_ALL is not set")
	}
	commit := host(t, "git", "rev-parse", "HEAD")
	s := newStore(t)
	s.standIn(t, strings.TrimPrefix(instructions(t)[0].text, "GO_IMAGE="))
	log := s.build(t, "linux/"+runtime.GOARCH, ours, "--build-arg", "VERSION="+version, "--build-arg", "COMMIT="+commit)
	t.Logf("the end of buildah's log:\n%s", log[strings.LastIndex(log, "COMMIT"):])
	checkConfig(t, s, commit)

	c := s.run(t, "from", "--pull-never", ours)
	root := s.run(t, "mount", c)
	checkFiles(t, root)
	require.NoError(t, os.Mkdir(filepath.Join(root, "proc"), 0o755)) // as a runtime does
	assert.Contains(t, inside(t, root, "/watchdog", "version"), version+"\ncommit   "+commit+"\n")
	checkHealth(t, root)

	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	s.build(t, "linux/"+other, "localhost/watchdog:other")
	c = s.run(t, "from", "--pull-never", "--arch", other, "localhost/watchdog:other")
	root = s.run(t, "mount", c)
	checkFiles(t, root)
	assert.Contains(t, host(t, "go", "version", "-m", filepath.Join(root, "watchdog")), "GOARCH="+other)
}

// checkConfig looks at what the image says of itself.
func checkConfig(t *testing.T, s store, commit string) {
	t.Helper()
	var told struct {
		Docker struct {
			Architecture string
			Config       struct {
				User        string
				Entrypoint  []string
				Cmd         []string
				Env         []string
				Labels      map[string]string
				Healthcheck struct{ Test []string }
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(s.run(t, "inspect", "--type", "image", ours)), &told))
	config := told.Docker.Config
	assert.Equal(t, runtime.GOARCH, told.Docker.Architecture)
	assert.Equal(t, "65532:65532", config.User)
	assert.Equal(t, []string{"/watchdog"}, config.Entrypoint)
	assert.Equal(t, []string{"serve"}, config.Cmd)
	assert.Equal(t, []string{"PATH=/"}, config.Env)
	assert.Equal(t, []string{"CMD", "/watchdog", "status", "--quiet"}, config.Healthcheck.Test)
	label := func(name string) string { return config.Labels["org.opencontainers.image."+name] }
	assert.Equal(t, []string{version, commit, "Apache-2.0"}, []string{label("version"), label("revision"), label("licenses")})
	for _, name := range []string{"title", "description", "url", "source", "documentation"} {
		assert.NotEmpty(t, label(name), name)
	}
}

// checkFiles requires that the image has these files and folders, and so no shell.
func checkFiles(t *testing.T, root string) {
	t.Helper()
	var paths []string
	var bytes int64
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && !entry.IsDir() {
			bytes += info.Size()
		}
		paths = append(paths, strings.TrimPrefix(path, root))
		return err
	}))
	assert.Equal(t, []string{"", "/etc", "/etc/ssl", "/etc/ssl/certs", "/etc/ssl/certs/ca-certificates.crt",
		"/run", "/run/watchdog", "/watchdog"}, paths)
	assert.Less(t, bytes, int64(maxBytes))
	t.Logf("%.1f MB of files", float64(bytes)/1e6)

	folder, err := os.Stat(filepath.Join(root, "run/watchdog"))
	require.NoError(t, err)
	owner := folder.Sys().(*syscall.Stat_t)
	assert.Equal(t, []uint32{65532, 65532, 0o750}, []uint32{owner.Uid, owner.Gid, uint32(folder.Mode().Perm())})
}

// box is the image's own root, as it runs, with a folder in memory for the socket.
func box(root, shared string, command ...string) container.Container {
	return container.Container{Root: root, Mounts: []container.Mount{{From: shared, At: "/run/watchdog"}},
		User: 65532, Group: 65532, Command: command, Env: []string{"PATH=/"}}
}

func inside(t *testing.T, root string, command ...string) string {
	t.Helper()
	p := program.Start(t, box(root, t.TempDir(), command...).Cmd(t))
	require.Equal(t, 0, p.Wait(t, program.Patience), p.Output())
	return p.Output()
}

// checkHealth runs the health check without a watchdog and with one.
func checkHealth(t *testing.T, root string) {
	t.Helper()
	shared := program.Folder(t)
	require.NoError(t, os.Chown(shared, 65532, 65532))
	check := func() int {
		cmd := box(root, shared, "/watchdog", "status", "--quiet")
		return program.Start(t, cmd.Cmd(t)).Wait(t, program.Patience)
	}
	assert.Equal(t, 1, check(), "nobody serves")

	serving := box(root, shared, "/watchdog", "serve")
	serving.Env = append(serving.Env, "WATCHDOG_DATABASE_URL=postgres://watchdog@127.0.0.1:1/orchestrator?sslmode=disable",
		"WATCHDOG_LISTEN=127.0.0.1:0", "WATCHDOG_LOG_FORMAT=json")
	w := &program.Watchdog{Process: program.Start(t, serving.Cmd(t)), Socket: filepath.Join(shared, "heartbeat.sock")}
	w.Await(t)
	assert.Equal(t, 0, check(), "its database is away, and it serves")
	w.Signal(t, syscall.SIGTERM)
	assert.Equal(t, 0, w.Wait(t, stoppedIn))
}
