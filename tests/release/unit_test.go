package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const unit = "../../deploy/systemd/watchdog.service"

// TestUnit asks systemd whether it understands every line of the unit, and what it thinks of its confinement.
func TestUnit(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("it takes systemd, which not every machine has; WATCHDOG_TEST_ALL is not set")
	}
	verify, err := analyze(t, "", "", "verify")
	assert.NoError(t, err)
	assert.Empty(t, verify)
	exposure, err := analyze(t, "", "", "security", "--offline=yes", "--threshold=20") // of 100
	assert.NoError(t, err, exposure)

	verify, _ = analyze(t, "ProtectSystem=", "ProtectSytem=", "verify")
	assert.Contains(t, verify, "ProtectSytem", "a mistake is found")
	_, err = analyze(t, "CapabilityBoundingSet=\n", "CapabilityBoundingSet=CAP_SYS_ADMIN\n", "security", "--offline=yes", "--threshold=14")
	assert.Error(t, err)
}

// analyze runs systemd-analyze on the unit with a part of it changed. The program it starts need not be installed.
func analyze(t *testing.T, old, changed string, args ...string) (string, error) {
	t.Helper()
	content, err := os.ReadFile(unit)
	require.NoError(t, err)
	text := strings.Replace(string(content), "/usr/local/bin/watchdog", "/bin/true", 1)
	if old != "" {
		require.Contains(t, text, old)
		text = strings.Replace(text, old, changed, 1)
	}
	path := filepath.Join(t.TempDir(), "watchdog.service")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	output, err := exec.CommandContext(t.Context(), "systemd-analyze", append(args, path)...).CombinedOutput()
	return string(output), err
}
