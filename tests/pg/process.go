package pg

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 15 * time.Second
)

// process is a server that runs until it is stopped, or until the test binary dies.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has exited
}

// launch starts a server and returns once it has written ready to its standard error.
func launch(as *syscall.Credential, ready, path string, args ...string) (*process, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = "/"
	cmd.Stderr = writer
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGQUIT}

	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(started)
	err = <-started
	_ = writer.Close()
	if err != nil {
		_ = reader.Close()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	if err := await(reader, ready); err != nil {
		p.stop(syscall.SIGKILL)
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return p, nil
}

// run owns the process from start to exit. The thread that started it must live as long: the kernel sends
// Pdeathsig at the thread's end.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait()
	}
}

// await reads a server's log until a line says ready, and then goes on to drain it.
func await(log *os.File, ready string) error {
	var mu sync.Mutex
	var seen []string
	found := make(chan error, 1)
	go func() {
		defer func() { _ = log.Close() }()
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			mu.Lock()
			seen = append(seen, lines.Text())
			mu.Unlock()
			if strings.Contains(lines.Text(), ready) {
				found <- nil
				_, _ = io.Copy(io.Discard, log)
				return
			}
		}
		found <- errors.New("it ended")
	}()
	var err error
	select {
	case err = <-found:
	case <-time.After(startTimeout):
		err = errors.New("it is not ready")
	}
	if err == nil {
		return nil
	}
	mu.Lock()
	defer mu.Unlock()
	return fmt.Errorf("%w:\n%s", err, strings.Join(seen, "\n"))
}

// stop asks the process to end, and kills it if it does not.
func (p *process) stop(signal syscall.Signal) {
	_ = p.cmd.Process.Signal(signal)
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}
