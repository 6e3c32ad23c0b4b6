// Package grafana checks the dashboard of deploy/grafana against the types that Grafana publishes as @grafana/schema,
// with the compiler and the version that package-lock.json pins.
package grafana

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDashboardsTypes(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("it installs npm packages; WATCHDOG_TEST_ALL is not set")
	}
	folder := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "tsconfig.json", "types.ts", "mistakes.ts"} {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), content, 0o600))
	}
	// As a constant with a type: a field that no type has is an error then, which it is not in imported JSON.
	dashboard, err := os.ReadFile("../../deploy/grafana/finalizer-watchdog.json")
	require.NoError(t, err)
	source := "import type { Checked } from \"./types.js\";\n\nexport const dashboard: Checked = " + string(dashboard)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "dashboard.ts"), []byte(source), 0o600))
	for _, args := range [][]string{{"ci", "--ignore-scripts", "--no-audit", "--no-fund"}, {"run", "check"}} {
		cmd := exec.CommandContext(t.Context(), "npm", args...)
		cmd.Dir = folder
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, "npm %v\n%s", args, output)
	}
}
