package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const version = "v1.2.3-test"

// TestReleasesAreReproducible makes one from two places, the second time with nothing compiled before, and compares.
func TestReleasesAreReproducible(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("it compiles everything four times; WATCHDOG_TEST_ALL is not set")
	}
	checkout := filepath.Join(t.TempDir(), "here")
	first := release(t, "../..", checkout)
	second := release(t, checkout, filepath.Join(t.TempDir(), "somewhere", "else"), "GOCACHE="+t.TempDir())
	sums, err := os.ReadFile(filepath.Join(first, "SHA256SUMS"))
	require.NoError(t, err)
	again, err := os.ReadFile(filepath.Join(second, "SHA256SUMS"))
	require.NoError(t, err)
	assert.Equal(t, string(sums), string(again))
	t.Logf("from two folders:\n%s", sums)

	for _, architecture := range []string{"amd64", "arm64"} {
		name := "watchdog-" + version + "-linux-" + architecture
		assert.Contains(t, string(sums), "  "+name+".tar.gz\n")
		run(t, "tar", "-C", first, "-xzf", filepath.Join(first, name+".tar.gz"))
		assert.Contains(t, run(t, "go", "version", "-m", filepath.Join(first, name, "watchdog")), "GOARCH="+architecture)
		assert.FileExists(t, filepath.Join(first, name, "LICENSE"))
	}
	told := run(t, filepath.Join(first, "watchdog-"+version+"-linux-"+runtime.GOARCH, "watchdog"), "version")
	commit := strings.TrimSpace(run(t, "git", "-C", checkout, "rev-parse", "HEAD"))
	assert.Equal(t, "watchdog "+version+"\ncommit   "+commit+"\ngo       "+runtime.Version()+"\nplatform linux/"+runtime.GOARCH+"\n", told)
}

// release makes a release of a fresh checkout and returns its folder.
func release(t *testing.T, of, checkout string, env ...string) string {
	t.Helper()
	run(t, "git", "clone", "--quiet", "--no-hardlinks", of, checkout)
	cmd := exec.CommandContext(t.Context(), "make", "release", "VERSION="+version)
	cmd.Dir = checkout
	cmd.Env = append(os.Environ(), env...)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, string(output))
	return filepath.Join(checkout, "dist")
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), name, args...).Output()
	require.NoError(t, err, "%s %v: %s", name, args, output)
	return string(output)
}
