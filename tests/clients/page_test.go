package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// block is a piece of code in a page.
type block struct {
	heading  string
	language string // empty: it is only indented
	text     string
}

// blocks are those of a page, in their order.
func blocks(t *testing.T, page string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", page))
	require.NoError(t, err)
	var found []block
	heading, open, fenced := "", false, false
	for line := range strings.Lines(string(text)) {
		last := len(found) - 1
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		indented, code := strings.CutPrefix(line, "    ")
		switch {
		case fence:
			if fenced = !fenced; fenced {
				found = append(found, block{heading, language, ""})
			}
			open = false
		case fenced:
			found[last].text += line
		case code && open:
			found[last].text += indented
		case code && strings.TrimSpace(indented) != "":
			found = append(found, block{heading, "", indented})
			open = true
		case strings.HasPrefix(line, "#"):
			heading, open = strings.TrimSpace(strings.TrimLeft(line, "#")), false
		case strings.TrimSpace(line) != "":
			open = false
		}
	}
	return found
}

// documented is where the code of a page is run: a watchdog with a job that has just finished.
type documented struct {
	*world
	folder string
}

const (
	documentedJob = 1914
	documentedRun = "2207"
	ownSocket     = "/run/watchdog/heartbeat.sock"
)

func newDocumented(t *testing.T) *documented {
	t.Helper()
	d := program.OnSQLite(t)
	s := program.For(t, d.URL)
	w := &documented{&world{Database: d, watchdog: program.Serve(t, s), tree: program.Folder(t)}, program.Folder(t)}
	d.Finished(t, documentedJob, "deploy-staging")
	return w
}

// command runs in the folder, with the job in its environment, and finds the built watchdog.
func (w *documented) command(t *testing.T, name string, arguments ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, arguments...)
	cmd.Dir = w.folder
	python, err := filepath.Abs("../../clients/python")
	require.NoError(t, err)
	cmd.Env = append(os.Environ(), "WATCHDOG_SOCKET="+w.watchdog.Socket, fmt.Sprintf("JOB=%d", documentedJob), "RUN="+documentedRun,
		"PATH="+filepath.Dir(program.Binary(t))+":"+os.Getenv("PATH"), "PYTHONPATH="+python, "PYTHONDONTWRITEBYTECODE=1")
	return cmd
}

// write writes a file that can be run.
func (w *documented) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(w.folder, name), []byte(text), 0o700))
}

// ran runs the command to its end, and returns what it wrote.
func (w *documented) ran(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return string(output)
}

func (w *documented) owned(t *testing.T) bool {
	return w.world.owned(t, documentedJob) == "connected"
}

// counted is a metric of the watchdog.
func (w *documented) counted(t *testing.T, series string, times float64) {
	t.Helper()
	program.Eventually(t, fmt.Sprintf("%s is %v", series, times), func() bool { return w.watchdog.Metric(t, series) == times })
}
