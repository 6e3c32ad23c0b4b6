package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// psql is one `psql -At`, which runs the program's own statements and writes what they give to /dev/null. Its
// variables are written as the statements' parameters are.
type psql struct {
	in     io.Writer
	out    *bufio.Scanner
	folder string
}

func startPSQL(t *testing.T, d *program.Database) *psql {
	t.Helper()
	server := d.Postgres.Server
	_, port, _ := strings.Cut(server.Addr, ":")
	cmd := exec.Command("psql", "-X", "-At", "-q", "-v", "ON_ERROR_STOP=1", "-h", server.Socket, "-p", port, "-U", server.User, d.Postgres.Name)
	stdin, in, err := os.Pipe()
	require.NoError(t, err)
	out, stdout, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdin, cmd.Stdout = stdin, stdout
	program.Start(t, cmd)
	_, _ = stdin.Close(), stdout.Close()
	t.Cleanup(func() { _, _ = in.Close(), out.Close() })
	p := &psql{in: in, out: bufio.NewScanner(out), folder: t.TempDir()}
	for _, name := range []string{"due_jobs", "open_jobs"} {
		require.NoError(t, os.WriteFile(filepath.Join(p.folder, name), []byte(statement(t, name)+";\n"), 0o600))
	}
	// As the watchdog's connection: else the server compiles statements for longer than it runs them.
	_, err = io.WriteString(in, "SET jit = off;\n\\o /dev/null\n")
	require.NoError(t, err)
	return p
}

// statement is one of the orchestrator's set.
func statement(t *testing.T, name string) string {
	t.Helper()
	const set = "../../sql/sets/orchestrator/postgres"
	text, err := os.ReadFile(filepath.Join(set, name+".sql"))
	require.NoError(t, err)
	job, err := os.ReadFile(filepath.Join(set, "job.part.sql"))
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), "-- include job.part.sql", string(job))
}

// run runs a statement for each of the ids after which it begins, and returns how long that took.
func (p *psql) run(t *testing.T, name string, limit int, afters ...string) time.Duration {
	t.Helper()
	var script strings.Builder
	for _, after := range afters {
		fmt.Fprintf(&script, "\\set now %f\n\\set grace 120\n\\set ceiling 7200\n\\set limit %d\n\\set after '\\'%s\\''\n\\i %s\n",
			float64(time.Now().UnixMicro())/1e6, limit, after, filepath.Join(p.folder, name))
	}
	began := time.Now()
	_, err := io.WriteString(p.in, script.String()+"\\echo done\n")
	require.NoError(t, err)
	require.True(t, p.out.Scan(), "psql has ended: %v", p.out.Err())
	require.Equal(t, "done", p.out.Text())
	return time.Since(began)
}
