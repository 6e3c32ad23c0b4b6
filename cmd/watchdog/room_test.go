package main

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/liveness"
)

func TestRoom(t *testing.T) {
	limits, connections := room(math.MaxInt64)
	assert.Equal(t, liveness.Limits{PerSession: 131_072, Total: 262_144, Remembered: 65_536}, limits)
	assert.Equal(t, 4096, connections)

	limits, connections = room(192 << 20)
	assert.Equal(t, liveness.Limits{PerSession: 12_902, Total: 25_804, Remembered: 6451}, limits)
	assert.Equal(t, 896, connections)

	limits, connections = room(1)
	assert.Positive(t, limits.Remembered)
	assert.Positive(t, connections)
}

// TestTheManifestsLeaveRoom: an orchestrator, one user alone, may own ten thousand jobs beside the watchdog as it is shipped.
func TestTheManifestsLeaveRoom(t *testing.T) {
	for path, setting := range map[string]string{
		"../../deploy/kubernetes/sidecar/pod.yaml": `GOMEMLIMIT, value: (\d+)MiB`,
		"../../deploy/systemd/watchdog.service":    `(?m)^Environment=GOMEMLIMIT=(\d+)MiB$`,
	} {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		given := regexp.MustCompile(setting).FindSubmatch(content)
		require.NotNil(t, given, path)
		mebibytes, err := strconv.ParseInt(string(given[1]), 10, 64)
		require.NoError(t, err)
		limits, _ := room(mebibytes << 20)
		assert.GreaterOrEqual(t, limits.Total/2, 10_000, path)
	}
}
