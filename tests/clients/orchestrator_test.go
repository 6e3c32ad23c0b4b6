package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// world is a database, a watchdog over it, and the example that works on it.
type world struct {
	*program.Database
	watchdog *program.Watchdog
	tree     string
	env      []string      // of the example
	ahead    time.Duration // of the true time: the machine's clock
}

// orchestrator starts the example.
func (w *world) orchestrator(t *testing.T, options ...string) *program.Process {
	t.Helper()
	python := python(t)
	if w.Postgres != nil {
		python = withModule(t, "psycopg2")
	}
	arguments := append([]string{filepath.Join(exampleTests, "orchestrator.py"), "--database", w.URL,
		"--socket", w.watchdog.Socket, "--tree", w.tree}, options...)
	cmd := exec.Command(python, append(arguments, "run")...)
	cmd.Env = append(append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"), w.env...)
	return program.Start(t, cmd)
}

// submit adds a job in a stage for the orchestrator to claim.
func (w *world) submit(t *testing.T, job int64, stage string) {
	t.Helper()
	w.Exec(t,
		fmt.Sprintf("INSERT INTO tasks (id, ref, title, stage) VALUES (%d, 'ORCH-%d', 'a task', '%s')", job, job, stage),
		fmt.Sprintf("INSERT INTO jobs (id, task_id, status, attempt, created_at) VALUES (%d, %[1]d, 'queued', 0, %s)", job, w.Ago(-w.ahead)))
}

// became is what happened to a job: its status, attempts and stage, and how often its task was merged.
func (w *world) became(t *testing.T, job int64) string {
	t.Helper()
	row := w.Text(t, fmt.Sprintf("SELECT j.status || ' ' || j.attempt || ' ' || t.stage FROM jobs j JOIN tasks t ON t.id = j.task_id WHERE j.id = %d", job))
	merged, err := os.ReadFile(filepath.Join(w.tree, "main"))
	if err != nil {
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	times := 0
	for ref := range strings.FieldsSeq(string(merged)) {
		if ref == "ORCH-"+strconv.FormatInt(job, 10) {
			times++
		}
	}
	return fmt.Sprintf("%s, merged %d", row, times)
}

// tell logs what happened to each job, as a table.
func (w *world) tell(t *testing.T, jobs ...int64) {
	t.Helper()
	lines := []string{"| job | status, attempts, stage, merges | reaped by the watchdog |", "| --- | --- | --- |"}
	for _, job := range jobs {
		lines = append(lines, fmt.Sprintf("| %d | %s | %s |", job, w.became(t, job), w.reaps(job)))
	}
	t.Logf("what happened to each job:\n%s", strings.Join(lines, "\n"))
}

// reaps are the reasons for which the watchdog reaped a job, from its audit log.
func (w *world) reaps(job int64) string {
	var reasons []string
	for line := range strings.Lines(w.watchdog.Output()) {
		if strings.Contains(line, `"msg":"reaped"`) && strings.Contains(line, fmt.Sprintf(`"job":"%d"`, job)) {
			_, rest, _ := strings.Cut(line, `"reason":"`)
			reason, _, _ := strings.Cut(rest, `"`)
			reasons = append(reasons, reason)
		}
	}
	if len(reasons) == 0 {
		return "-"
	}
	return strings.Join(reasons, ", ")
}
