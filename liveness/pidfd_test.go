package liveness

import (
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestNoThreadWaitsForAnExit waits for the exits of very many processes at once: they are all this one.
func TestNoThreadWaitsForAnExit(t *testing.T) {
	const many = 200
	before := threads(t)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	for range many {
		fd, err := unix.PidfdOpen(os.Getpid(), 0)
		require.NoError(t, err)
		file, err := pollable(fd)
		require.NoError(t, err)
		p := pidfd{file}
		waiting.Go(func() { assert.False(t, p.AwaitExit(), "nobody exited") })
		defer p.Close()
	}
	stacks := make([]byte, 4<<20)
	require.Eventually(t, func() bool {
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "liveness.pidfd.AwaitExit(") >= many
	}, 10*time.Second, 10*time.Millisecond, "all of them wait")
	assert.Less(t, threads(t)-before, many/4)
}

// threads is how many this process has.
func threads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	return len(tasks)
}
