package simulation

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMutants runs scripts/mutate.sh. Each mutant has to be built: that takes minutes.
func TestMutants(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("takes minutes: run with WATCHDOG_TEST_ALL=1, or scripts/mutate.sh by itself")
	}
	output, err := exec.CommandContext(t.Context(), "../../scripts/mutate.sh").CombinedOutput()
	t.Logf("%s", output)
	require.NoError(t, err)
}
