package bench

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
)

// machine tells on what the figures were taken, and how busy it was with other things.
func machine(t *testing.T, server *pg.Server) string {
	t.Helper()
	var name unix.Utsname
	require.NoError(t, unix.Uname(&name))
	var info unix.Sysinfo_t
	require.NoError(t, unix.Sysinfo(&info))
	db, err := sql.Open("postgres", server.URL("postgres")+"?sslmode=disable")
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	var postgres string
	require.NoError(t, db.QueryRow("SHOW server_version").Scan(&postgres))
	return fmt.Sprintf("Taken on %s: %s, %d cores, %d GiB, Linux %s, %s, PostgreSQL %s. Load before: %.1f.\n",
		time.Now().UTC().Format(time.DateOnly), processor(), runtime.NumCPU(), info.Totalram*uint64(info.Unit)>>30,
		unix.ByteSliceToString(name.Release[:]), runtime.Version(), postgres, float64(info.Loads[0])/(1<<16))
}

func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "model name\t: "); ok {
			return name
		}
	}
	return runtime.GOARCH
}
