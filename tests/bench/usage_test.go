package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cpu is the CPU time that processes have taken, all their threads together.
func cpu(t *testing.T, pids ...int) time.Duration {
	t.Helper()
	var sum time.Duration
	for _, pid := range pids {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		require.NoError(t, err)
		require.NotEmpty(t, threads, "process %d is gone", pid)
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
