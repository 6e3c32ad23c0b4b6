package incident

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// demo starts the demo with an empty folder for its temporary files.
func demo(t *testing.T, flags ...string) (p *program.Process, temporary string) {
	t.Helper()
	temporary = program.Folder(t)
	cmd := exec.Command(program.Binary(t), append([]string{"demo"}, flags...)...)
	cmd.Env = []string{"TMPDIR=" + temporary}
	return program.Start(t, cmd), temporary
}

// leaves requires that the demo has ended all its processes and removed its folder.
func leaves(t *testing.T, temporary string) {
	t.Helper()
	assert.Empty(t, running(t, temporary))
	left, err := filepath.Glob(filepath.Join(temporary, "*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// running lists the processes whose arguments or settings name the folder.
func running(t *testing.T, folder string) []string {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	var found []string
	for _, p := range processes {
		args, _ := os.ReadFile(filepath.Join(p, "cmdline")) // it may have ended meanwhile
		env, _ := os.ReadFile(filepath.Join(p, "environ"))
		if strings.Contains(string(args)+string(env), folder+"/") {
			found = append(found, strings.ReplaceAll(string(args), "\x00", " "))
		}
	}
	return found
}

func TestDemo(t *testing.T) {
	t.Parallel()
	p, temporary := demo(t, "--once")
	require.Equal(t, 0, p.Wait(t, 2*program.Patience), p.Output())
	leaves(t, temporary)

	said := p.Output()
	assert.NotContains(t, said, "\x1b", "colours are for terminals")
	order := []string{
		`reaper_liveness_enabled 0`,
		`reaper_reaped_total{tier="2",reason="unfinalized"} 1`,
		`the re-test failed: the tree is broken: part-\d is not what the manifest of ORCH-110 says`,
		`job 1914: failed, attempt 2; task ORCH-111 is at development`,
		`the incident: ORCH-111 is merged, and rolled back to development`,
		`reaper_liveness_enabled 1`,
		`/queue +defer, tier 2, (held|connected): finished \d\.\d s ago`,
		`finalizer_defers_total: 0 before, [1-9]\d* now`,
		`job 1914 is done, task ORCH-111 is at deploy`,
		`job 1915 is recovered: committed \d+\.\d ms after the SIGKILL`,
		`job 1915 is done, task ORCH-112 is at deploy`,
		`/queue +defer, tier 2, stalled`,
		`reaper_reaped_total{tier="3",reason="backstop"} 1`,
		`checks its ownership: revoked \(backstop\); it does not merge`,
		`job 1916 is done, task ORCH-113 is at deploy`,
		`All came out as told`,
	}
	assert.Regexp(t, regexp.MustCompile(`(?s)`+strings.Join(order, `.*`)), said)
}

func TestDemoGoesOnUntilCtrlC(t *testing.T) {
	t.Parallel()
	p, temporary := demo(t)
	for _, line := range []string{"Act 2", "Act 3,", "task ORCH-114 is at development"} { // each within the patience
		program.Eventually(t, "it says "+line, func() bool { return strings.Contains(p.Output(), line) })
	}
	for _, url := range regexp.MustCompile(`http://\S+`).FindAllString(p.Output(), -1) {
		response, err := http.Get(url)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, response.StatusCode, url)
		require.NoError(t, response.Body.Close())
	}
	p.Signal(t, syscall.SIGINT)
	assert.Equal(t, 0, p.Wait(t, program.Patience), p.Output())
	leaves(t, temporary)
}

func TestDemoInterruptedHasNotComeOut(t *testing.T) {
	t.Parallel()
	p, temporary := demo(t, "--once")
	program.Eventually(t, "the acts begin", func() bool { return strings.Contains(p.Output(), "claimed it") })
	require.NotEmpty(t, running(t, temporary))
	p.Signal(t, syscall.SIGINT)
	assert.Equal(t, 1, p.Wait(t, program.Patience), p.Output())
	leaves(t, temporary)
}

// Whoever pipes it into head has seen enough.
func TestDemoThatNobodyReadsEnds(t *testing.T) {
	t.Parallel()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer write.Close()
	temporary := program.Folder(t)
	cmd := exec.Command(program.Binary(t), "demo")
	cmd.Env, cmd.Stdout = []string{"TMPDIR=" + temporary}, write
	p := program.Start(t, cmd)
	_, err = read.Read(make([]byte, 100))
	require.NoError(t, err)
	require.NoError(t, read.Close())
	assert.Equal(t, 1, p.Wait(t, program.Patience), p.Output())
	assert.Contains(t, p.Output(), "watchdog demo: write the timeline: write /dev/stdout: broken pipe")
	leaves(t, temporary)
}

// A watchdog that does not start says itself what is wrong.
func TestDemoSaysWhyItCannotServe(t *testing.T) {
	t.Parallel()
	p, temporary := demo(t, "--listen", "nonsense")
	assert.Equal(t, 1, p.Wait(t, program.Patience))
	assert.Contains(t, p.Output(), `WATCHDOG_LISTEN="nonsense": must be HOST:PORT`)
	leaves(t, temporary)
}

func TestDemoKilledLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	p, temporary := demo(t)
	program.Eventually(t, "all are there", func() bool { return len(running(t, temporary)) == 3 })
	p.Signal(t, syscall.SIGKILL)
	program.Eventually(t, "all are gone", func() bool { return len(running(t, temporary)) == 0 })
}

func TestDemoKeepsTheFolderThatItWasGiven(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(program.Folder(t), "kept")
	p, temporary := demo(t, "--dir", folder)
	program.Eventually(t, "the acts begin", func() bool { return strings.Contains(p.Output(), "claimed it") })
	p.Signal(t, syscall.SIGTERM)
	p.Wait(t, program.Patience)
	leaves(t, temporary)
	assert.FileExists(t, filepath.Join(folder, "orchestrator.db"))

	again, _ := demo(t, "--dir", folder)
	assert.Equal(t, 1, again.Wait(t, program.Patience))
	assert.Contains(t, again.Output(), "is not empty")
}
