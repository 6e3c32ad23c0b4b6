package image

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// store is buildah with images of its own, which end with the test.
type store struct{ folder string }

func newStore(t *testing.T) store {
	t.Helper()
	s := store{t.TempDir()}
	// Whatever is still mounted must not be removed with the folder.
	t.Cleanup(func() { _, _ = s.try("umount", "--all") })
	return s
}

func (s store) try(args ...string) (string, error) {
	cmd := exec.Command("buildah", append([]string{"--storage-driver", "vfs",
		"--root", filepath.Join(s.folder, "root"), "--runroot", filepath.Join(s.folder, "run")}, args...)...)
	output, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

// run runs buildah and returns what it prints.
func (s store) run(t *testing.T, args ...string) string {
	t.Helper()
	output, err := s.try(args...)
	require.NoError(t, err, "buildah %v\n%s", args, output)
	return output
}

// standIn makes the image that compiles from this machine's Go, a shell and the certificate authorities.
func (s store) standIn(t *testing.T, name string) {
	t.Helper()
	c := s.run(t, "from", "scratch")
	root := s.run(t, "mount", c)
	goroot := host(t, "go", "env", "GOROOT")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "usr/local/go"), 0o755))
	// Only what it takes to compile somebody else's program.
	host(t, "tar", "-C", goroot, "--exclude=./test", "--exclude=./api", "--exclude=./doc", "--exclude=./src/cmd",
		"--exclude=testdata", "--exclude=*_test.go", "-cf", filepath.Join(s.folder, "go.tar"), ".")
	host(t, "tar", "-C", filepath.Join(root, "usr/local/go"), "-xf", filepath.Join(s.folder, "go.tar"))
	require.NoError(t, os.Remove(filepath.Join(s.folder, "go.tar")))
	for _, program := range []string{"sh", "mkdir"} {
		path, err := exec.LookPath(program)
		require.NoError(t, err)
		copyFile(t, path, filepath.Join(root, "bin", program))
		for word := range strings.FieldsSeq(host(t, "ldd", path)) {
			if filepath.IsAbs(word) {
				copyFile(t, word, filepath.Join(root, word))
			}
		}
	}
	const authorities = "/etc/ssl/certs/ca-certificates.crt"
	copyFile(t, authorities, filepath.Join(root, authorities))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "tmp"), 0o777))
	s.run(t, "config", "--env", "PATH=/usr/local/go/bin:/bin", "--env", "GOPATH=/go", "--env", "HOME=/root",
		"--env", "GOTOOLCHAIN=local", "--env", "GOPROXY=off", c)
	s.run(t, "umount", c)
	s.run(t, "commit", "--quiet", "--rm", c, name)
}

// build builds the Dockerfile for a platform and returns the end of buildah's log. The modules and what is compiled
// already are this machine's.
func (s store) build(t *testing.T, platform, tag string, args ...string) string {
	t.Helper()
	from := host(t, "go", "env", "GOHOSTOS") + "/" + host(t, "go", "env", "GOHOSTARCH")
	args = append([]string{"build", "--isolation", "chroot", "--format", "docker", "--pull-never",
		"--build-arg", "BUILDPLATFORM=" + from, "--platform", platform,
		"--volume", host(t, "go", "env", "GOMODCACHE") + ":/go/pkg/mod",
		"--volume", host(t, "go", "env", "GOCACHE") + ":/root/.cache/go-build",
		"--tag", tag}, args...)
	return s.run(t, append(args, "../..")...)
}

func host(t *testing.T, name string, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), name, args...).Output()
	require.NoError(t, err, "%s %v", name, args)
	return strings.TrimSpace(string(output))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
	require.NoError(t, os.WriteFile(to, content, 0o755))
}
