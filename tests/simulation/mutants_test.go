package simulation

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEveryMutantApplies tells at once when a change of the product has left a mutant behind.
func TestEveryMutantApplies(t *testing.T) {
	patches, err := filepath.Glob("mutants/*.patch")
	require.NoError(t, err)
	require.NotEmpty(t, patches)
	for _, patch := range patches {
		content, err := os.ReadFile(patch) // so that go test knows what its result rests on
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), "git", "apply", "--check", "-")
		cmd.Dir, cmd.Stdin = "../..", bytes.NewReader(content)
		output, err := cmd.CombinedOutput()
		assert.NoError(t, err, "%s: %s", patch, output)
	}
}

// TestMutants runs scripts/mutate.sh. Each mutant has to be built: that takes minutes.
func TestMutants(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("takes minutes: run with WATCHDOG_TEST_ALL=1, or scripts/mutate.sh by itself")
	}
	output, err := exec.CommandContext(t.Context(), "../../scripts/mutate.sh").CombinedOutput()
	t.Logf("%s", output)
	require.NoError(t, err)
}
