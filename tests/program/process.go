package program

import (
	"bytes"
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is a process that ends with the test at the latest, and with the test binary in any case.
type Process struct {
	PID  int
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	out  buffer
}

// Start starts a command. What it writes, and what the caller has not directed elsewhere, is kept for Output.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd: cmd, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.out
	}
	cmd.Stderr = &p.out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	p.PID = cmd.Process.Pid
	t.Cleanup(p.end)
	return p
}

// end kills the process and what it has started, which might hold its output open.
func (p *Process) end() {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.PID, syscall.SIGKILL)
		<-p.done
	}
}

// run starts and waits on one thread: the kernel sends Pdeathsig at the end of the thread that started.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait()
	}
}

// Signal sends a signal. To send one to a process that has ended is an error of the test.
func (p *Process) Signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(p.PID, s); err != nil {
		t.Fatalf("send %v: %v", s, err)
	}
}

// Wait waits for the process's end, for as long as within, and returns its exit status: -1 after a signal.
func (p *Process) Wait(t testing.TB, within time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("it did not end within %v:\n%s", within, p.Output())
		return -1
	}
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.done }

// Output is what the process has written to its standard error, and to its standard output, so far.
func (p *Process) Output() string { return p.out.String() }

// buffer may be written and read at once.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Patience is how long a test waits for what should come about at once: long, for the machine may be busy.
const Patience = time.Minute

// Eventually waits until a condition holds. What says what is waited for.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	if err := poll(holds); err != nil {
		t.Fatalf("wait until %s: %v", what, err)
	}
}

func poll(holds func() bool) error {
	late := time.After(Patience)
	for pause := 5 * time.Millisecond; !holds(); pause = min(2*pause, 40*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-late:
			return errors.New("it did not come about")
		}
	}
	return nil
}
