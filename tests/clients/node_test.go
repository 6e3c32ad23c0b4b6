package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

const nodeTests = "../../clients/node/test"

// TestNode runs the client's suites, the vectors among them.
func TestNode(t *testing.T) {
	t.Parallel()
	nodeSuites(t, "node")
}

// TestNodeFromNPM compiles what TypeScript programs write, and runs the suites on an old and on a new Node.
func TestNodeFromNPM(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("set WATCHDOG_TEST_ALL=1 to run it")
	}
	t.Parallel()
	runIn(t, "npm", "npm", "ci", "--no-audit", "--no-fund")
	t.Run("types", func(t *testing.T) {
		t.Parallel()
		runIn(t, "npm", "node", "node_modules/typescript/bin/tsc", "--project", ".")
	})
	found, err := filepath.Glob("npm/node_modules/node-*/bin/node")
	require.NoError(t, err)
	for _, node := range found {
		node, err := filepath.Abs(node)
		require.NoError(t, err)
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(node))), func(t *testing.T) {
			t.Parallel()
			nodeSuites(t, node)
		})
	}
}

// nodeSuites runs each file of tests by itself.
func nodeSuites(t *testing.T, node string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(nodeTests, "*.test.js"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		suite := filepath.Base(file)
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			output := runIn(t, nodeTests, node, "--test-reporter=tap", suite)
			require.Regexp(t, `(?m)^# pass [1-9]`, output)
			for _, count := range nodeCounts.FindAllString(output, -1) {
				t.Log(count)
			}
		})
	}
}

// nodeCounts are the lines in which a suite tells how many tests and vectors there were.
var nodeCounts = regexp.MustCompile(`(?m)^# (\d+ (conversations|answers)|pass \d+)$`)

// runIn runs a command in a folder, requires that it succeeds, and returns what it wrote.
func runIn(t *testing.T, folder, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "WATCHDOG_BINARY="+program.Binary(t))
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return string(output)
}
