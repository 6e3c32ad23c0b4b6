package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
)

// cpu is the CPU time that processes have taken, all their threads together.
func cpu(t *testing.T, pids ...int) time.Duration {
	t.Helper()
	var sum time.Duration
	for _, pid := range pids {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		require.NoError(t, err)
		for _, thread := range threads {
			text, err := os.ReadFile(thread)
			if err != nil {
				continue // it has ended
			}
			var ran time.Duration
			_, err = fmt.Sscan(string(text), &ran)
			require.NoError(t, err)
			sum += ran
		}
	}
	return sum
}

// serverCPU is that of all processes that the server has or had.
func serverCPU(t *testing.T, server *pg.Server) time.Duration {
	t.Helper()
	pids := server.Processes(t)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pids[len(pids)-1]))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), ") ")
	var user, system time.Duration // of the children that have ended, in ticks of 10 ms
	_, err = fmt.Sscan(strings.Join(strings.Fields(rest)[13:15], " "), &user, &system)
	require.NoError(t, err)
	return cpu(t, pids...) + (user+system)*10*time.Millisecond
}

// transferred is how many bytes a process has read and written, its sockets included.
func transferred(t *testing.T, pid int) (n int64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var bytes int64
		for _, way := range []string{"rchar: ", "wchar: "} {
			if value, ok := strings.CutPrefix(line, way); ok {
				_, err := fmt.Sscan(value, &bytes)
				require.NoError(t, err)
				n += bytes
			}
		}
	}
	return n
}

// share tells CPU time of a span.
func share(used, span time.Duration) string {
	return fmt.Sprintf("%.3g %%", 100*used.Seconds()/span.Seconds())
}

// memory is what the kernel tells of a process's memory, in MiB: VmRSS, the most of it VmHWM, what is in no file RssAnon.
func memory(t *testing.T, pid int, what string) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), what+":")
	var kib float64
	_, err = fmt.Sscan(rest, &kib)
	require.NoError(t, err)
	return kib / 1024
}
