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
// statements are prepared.
type psql struct {
	in  io.Writer
	out *bufio.Scanner
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
	p := &psql{in: in, out: bufio.NewScanner(out)}
	// As the watchdog's connection: each statement is planned once and never compiled.
	var script strings.Builder
	script.WriteString("SET jit = off;\nSET plan_cache_mode = force_generic_plan;\n\\o /dev/null\n")
	for name, types := range map[string]string{"due_jobs": "float8, float8, float8, text, bigint", "open_jobs": "text, bigint"} {
		fmt.Fprintf(&script, "PREPARE %s (%s) AS %s;\n", name, types, positional(statement(t, name), name))
	}
	_, err = io.WriteString(in, script.String())
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

// positional has the numbers of a statement's parameters for their names.
func positional(text, name string) string {
	names := []string{":now", ":grace", ":ceiling", ":after", ":limit"}
	if name == "open_jobs" {
		names = names[3:]
	}
	for i, parameter := range names {
		text = strings.ReplaceAll(text, parameter, fmt.Sprintf("$%d", i+1))
	}
	return text
}

// run runs a statement for each of the ids after which it begins, and returns how long that took.
func (p *psql) run(t *testing.T, name string, limit int, afters ...string) time.Duration {
	t.Helper()
	var script strings.Builder
	for _, after := range afters {
		values := fmt.Sprintf("'%s', %d", after, limit)
		if name == "due_jobs" {
			values = fmt.Sprintf("%f, 120, 7200, %s", float64(time.Now().UnixMicro())/1e6, values)
		}
		fmt.Fprintf(&script, "EXECUTE %s (%s);\n", name, values)
	}
	began := time.Now()
	_, err := io.WriteString(p.in, script.String()+"\\echo done\n")
	require.NoError(t, err)
	require.True(t, p.out.Scan(), "psql has ended: %v", p.out.Err())
	require.Equal(t, "done", p.out.Text())
	return time.Since(began)
}
