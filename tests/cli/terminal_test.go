package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// typist is somebody at a terminal in which a shell runs.
type typist struct {
	cmd    *exec.Cmd
	master *os.File
	done   chan struct{}

	mu     sync.Mutex
	screen strings.Builder
}

// atTerminal runs a script in a shell, with job control, that is the leader of a terminal's session. $hold is hold with
// all its arguments but the command.
func atTerminal(t *testing.T, script string) *typist {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	defer slave.Close()

	p := &typist{cmd: exec.Command("sh", "-m", "-c", script), master: master, done: make(chan struct{})}
	line := program.Binary(t) + " hold --socket " + filepath.Join(program.Folder(t), "none") + " --job 1 --run 2 --"
	p.cmd.Env = []string{"hold=" + line, "PATH=" + os.Getenv("PATH")}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { hangUp(t, p.cmd.Process.Pid); <-p.done })
	go func() {
		defer close(p.done)
		p.read()
		_ = p.cmd.Wait()
	}()
	return p
}

// hangUp kills whoever is left of a terminal's session.
func hangUp(t *testing.T, session int) {
	all, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	for _, process := range all {
		pid, err := strconv.Atoi(filepath.Base(process))
		require.NoError(t, err)
		if its, err := unix.Getsid(pid); err == nil && its == session {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// read keeps what is shown, until the last process that has the terminal has ended.
func (p *typist) read() {
	for text := make([]byte, 1024); ; {
		n, err := p.master.Read(text)
		p.mu.Lock()
		p.screen.Write(text[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *typist) shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.String()
}

func (p *typist) sees(t *testing.T, text string) {
	t.Helper()
	program.Eventually(t, "the terminal shows "+text+":\n"+p.shown(), func() bool { return strings.Contains(p.shown(), text) })
}

func (p *typist) types(t *testing.T, text string) {
	t.Helper()
	_, err := p.master.WriteString(text)
	require.NoError(t, err)
}

func (p *typist) ends(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(program.Patience):
		t.Fatalf("the shell does not end:\n%s", p.shown())
	}
}

// A command reads from the terminal that hold was started on, and the next one after it.
func TestHoldLendsItsTerminal(t *testing.T) {
	t.Parallel()
	p := atTerminal(t, `$hold sh -c 'echo ready; read line; echo "the command read $line"; exit 3'; echo "status $?"
		read line; echo "the shell read $line"`)
	p.sees(t, "ready")
	p.types(t, "one\n")
	p.sees(t, "the command read one")
	p.sees(t, "status 3")
	p.types(t, "two\n")
	p.sees(t, "the shell read two")
	p.ends(t)
}

// Ctrl-Z stops hold with its command, and fg continues both.
func TestHoldStopsWithItsCommand(t *testing.T) {
	t.Parallel()
	p := atTerminal(t, `$hold sh -c 'echo ready; read line; echo "the command read $line"'; echo "the shell goes on"
		read line; fg >/dev/null; echo "status $?"`)
	p.sees(t, "ready")
	p.types(t, "\x1a")
	p.sees(t, "the shell goes on")
	p.types(t, "continue\n")
	p.types(t, "one\n")
	p.sees(t, "the command read one")
	p.sees(t, "status 0")
	p.ends(t)
}

// Where no shell could continue them nothing stops.
func TestHoldStaysWhereNoShellIs(t *testing.T) {
	t.Parallel()
	p := atTerminal(t, `set +m; exec $hold sh -c 'echo ready; read line; echo "the command read $line"'`)
	p.sees(t, "ready")
	p.types(t, "\x1a")
	p.types(t, "one\n")
	p.sees(t, "the command read one")
	p.ends(t)
}

// Ctrl-C is the command's to answer.
func TestHoldLeavesCtrlCToItsCommand(t *testing.T) {
	t.Parallel()
	p := atTerminal(t, `$hold sh -c 'trap "echo interrupted; exit 4" INT; echo ready; while :; do sleep 0.02; done'; echo "status $?"`)
	p.sees(t, "ready")
	p.types(t, "\x03")
	p.sees(t, "status 4")
	p.ends(t)
	assert.Equal(t, 1, strings.Count(p.shown(), "interrupted"))
}
