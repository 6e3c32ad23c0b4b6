package demo

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// stopWithin is how long a child may take to end when it is asked to.
const stopWithin = 5 * time.Second

// child is another process of the demo. It ends when it is stopped, or with the conductor.
type child struct {
	name string
	log  string // the file with its standard error
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and was waited for
}

// launch starts this executable again. The child has a process group of its own, so that a Ctrl-C at the terminal
// reaches the conductor alone, which then stops the others in order.
func launch(name, log string, env []string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	output, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer output.Close()
	c := &child{name: name, log: log, cmd: exec.Command(self, args...), done: make(chan struct{})}
	c.cmd.Env = env
	c.cmd.Stderr = output
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go c.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return c, nil
}

// run starts the process and waits for its end, all on one thread: the kernel takes the end of the thread that
// started a child for its parent's death.
func (c *child) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.cmd.Start()
	started <- err
	if err == nil {
		_ = c.cmd.Wait() // how it ended is in its log
	}
	close(c.done)
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) signal(s syscall.Signal) error {
	if err := c.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("send %s to %s: %w", s, c.name, err)
	}
	return nil
}

// stop ends the process, also one that is stopped, and returns when it has ended.
func (c *child) stop() {
	_ = c.signal(syscall.SIGTERM)
	_ = c.signal(syscall.SIGCONT)
	late := time.AfterFunc(stopWithin, func() { _ = c.signal(syscall.SIGKILL) })
	defer late.Stop()
	<-c.done
}
