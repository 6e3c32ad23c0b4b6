// Package clients runs the tests of the clients in other languages, and of the example that uses one, with the
// built watchdog.
package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

func TestMain(m *testing.M) { os.Exit(program.RunParallel(m, 12)) }

const (
	clientTests  = "../../clients/python/tests"
	exampleTests = "../../examples/orchestrator"
)

// TestPython runs the client's suites, the vectors among them.
func TestPython(t *testing.T) {
	t.Parallel()
	for _, python := range pythons(t) {
		for _, suite := range suites(t, clientTests) {
			t.Run(filepath.Base(python)+"/"+suite, func(t *testing.T) {
				t.Parallel()
				unittest(t, python, clientTests, suite)
			})
		}
	}
}

// TestOrchestrator kills and stops the example and the watchdog.
func TestOrchestrator(t *testing.T) {
	t.Parallel()
	python := python(t)
	for _, test := range listed(t, python) {
		t.Run("sqlite/"+test, func(t *testing.T) {
			t.Parallel()
			unittest(t, python, exampleTests, test)
		})
	}
}

// TestOrchestratorOnPostgres is the same on PostgreSQL, with psycopg2 as the driver.
func TestOrchestratorOnPostgres(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("set WATCHDOG_TEST_ALL=1 to run it")
	}
	t.Parallel()
	python := withModule(t, "psycopg2")
	for _, test := range listed(t, python) {
		t.Run(test, func(t *testing.T) {
			t.Parallel()
			unittest(t, python, exampleTests, test, "ORCHESTRATOR_DATABASE="+pg.New(t).URL()+"?sslmode=disable")
		})
	}
}

// unittest runs one of Python's tests, by its dotted name. A warning is an error.
func unittest(t *testing.T, python, folder, name string, env ...string) {
	t.Helper()
	cmd := exec.Command(python, "-W", "error", "-m", "unittest", name)
	cmd.Dir = folder
	cmd.Env = append(append(os.Environ(), "WATCHDOG_BINARY="+program.Binary(t), "PYTHONDONTWRITEBYTECODE=1"), env...)
	p := program.Start(t, cmd)
	require.Zero(t, p.Wait(t, 5*time.Minute), "%s", p.Output())
	require.NotContains(t, p.Output(), "Ran 0 tests")
	t.Log(p.Output())
}

// suites are the test modules of a folder.
func suites(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "test_*.py"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".py"))
	}
	return names
}

// listed are the tests of the example by name: each waits for processes, so that they run at once.
func listed(t *testing.T, python string) []string {
	t.Helper()
	const program = "import test_orchestrator as t, unittest; " +
		"print(*unittest.defaultTestLoader.getTestCaseNames(t.World))"
	cmd := exec.CommandContext(t.Context(), python, "-c", program)
	cmd.Dir = exampleTests
	output, err := cmd.Output()
	require.NoError(t, err)
	names := strings.Fields(string(output))
	require.NotEmpty(t, names)
	for i := range names {
		names[i] = "test_orchestrator.World." + names[i]
	}
	return names
}
