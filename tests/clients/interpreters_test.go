package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// pythons are the interpreters to test with: one or, with WATCHDOG_TEST_ALL, every version that can be found.
func pythons(t *testing.T) []string {
	t.Helper()
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		return []string{python(t)}
	}
	var found []string
	for minor := 9; minor < 20; minor++ {
		if python := version(t, minor); python != "" {
			found = append(found, python)
		}
	}
	require.NotEmpty(t, found, "the tests need Python 3.9 or newer")
	return found
}

// python is one interpreter to test with.
func python(t *testing.T) string {
	t.Helper()
	found := firstPython()
	require.NotEmpty(t, found, "the tests need Python 3.9 or newer")
	return found
}

var firstPython = sync.OnceValue(func() string { return interpreter("", candidates...) })

var candidates = []string{"python3", "/usr/bin/python3"}

// version is the interpreter 3.minor, also where pyenv keeps it; empty where there is none.
func version(t *testing.T, minor int) string {
	t.Helper()
	name := fmt.Sprintf("python3.%d", minor)
	kept, err := filepath.Glob(filepath.Join(os.Getenv("HOME"), ".pyenv/versions/*/bin", name))
	require.NoError(t, err)
	return interpreter("", append([]string{name}, kept...)...)
}

// withModule is an interpreter that has a module of Debian's packages.
func withModule(t *testing.T, module string) string {
	t.Helper()
	found := interpreter("import "+module, candidates...)
	require.NotEmpty(t, found, "the test needs Python's module %s: run WATCHDOG_TEST_ALL=1 scripts/install-test-deps.sh", module)
	return found
}

// interpreter is the first that is there, is new enough and does what else is asked: itself, where the name is that of a
// script which finds it.
func interpreter(also string, names ...string) string {
	for _, name := range names {
		program := "import sys; assert sys.version_info >= (3, 9); print(sys.executable)\n" + also
		output, err := exec.Command(name, "-c", program).Output()
		if path := strings.TrimSpace(string(output)); err == nil && path != "" {
			return path
		}
	}
	return ""
}
