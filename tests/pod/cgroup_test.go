package pod

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// cgroup is a group of processes under a container's limits, in either version of the kernel's interface.
type cgroup struct {
	folders []string // of the memory and of the CPU; one and the same in version 2
	peak    string   // the file that tells the most memory that it ever had
	usage   string
}

// limited makes a group with the limits of a manifest, such as 128Mi and 500m.
func limited(t *testing.T, memory, cpu string) cgroup {
	t.Helper()
	const root = "/sys/fs/cgroup"
	name := fmt.Sprintf("watchdog-test-%d", os.Getpid())
	bytes, quota := strconv.FormatInt(amount(t, memory, "Mi", 1<<20), 10), amount(t, cpu, "", 100_000)
	g := cgroup{}
	set := func(folder string, values map[string]string) {
		require.NoError(t, os.Mkdir(folder, 0o755), "it takes a machine whose cgroups may be written to")
		g.folders = append(g.folders, folder)
		t.Cleanup(func() {
			program.Eventually(t, "nobody is in the cgroup", func() bool { return os.Remove(folder) == nil })
		})
		for file, value := range values {
			require.NoError(t, os.WriteFile(filepath.Join(folder, file), []byte(value), 0))
		}
	}
	if _, err := os.Stat(root + "/cgroup.controllers"); err == nil {
		folder := filepath.Join(root, name)
		set(folder, map[string]string{"memory.max": bytes, "cpu.max": fmt.Sprintf("%d 100000", quota)})
		g.usage, g.peak = folder+"/memory.current", folder+"/memory.peak"
		return g
	}
	folder := filepath.Join(root, "memory", name)
	set(folder, map[string]string{"memory.limit_in_bytes": bytes})
	set(filepath.Join(root, "cpu", name), map[string]string{"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": strconv.FormatInt(quota, 10)})
	g.usage, g.peak = folder+"/memory.usage_in_bytes", folder+"/memory.max_usage_in_bytes"
	return g
}

// amount is a quantity of a manifest in units of which one has so many.
func amount(t *testing.T, text, suffix string, unit int64) int64 {
	t.Helper()
	if milli, found := strings.CutSuffix(text, "m"); found && suffix == "" {
		return amount(t, milli, "", unit/1000)
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(text, suffix), 10, 64)
	require.NoError(t, err, text)
	return n * unit
}

// mebibytes is what a file of the group tells.
func mebibytes(t *testing.T, file string) float64 {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	bytes, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	require.NoError(t, err)
	return float64(bytes) / (1 << 20)
}

// throttled is how often the group was made to wait for its share of the CPU.
func (g cgroup) throttled(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.folders[len(g.folders)-1], "cpu.stat"))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if count, found := strings.CutPrefix(line, "nr_throttled "); found {
			n, err := strconv.ParseInt(strings.TrimSpace(count), 10, 64)
			require.NoError(t, err)
			return n
		}
	}
	t.Fatalf("no nr_throttled:\n%s", text)
	return 0
}
