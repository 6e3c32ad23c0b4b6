package main

import (
	"errors"
	"io/fs"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is a command, the leader of a process group of its own, that dies with this process.
type child struct {
	cmd   *exec.Cmd
	guard *guard // of the group; nil: none
	tty   *terminal
	// ended is closed when the command has ended. It is not reaped before status: until then no other group
	// can have its number.
	ended chan struct{}
	// stopped is sent to when the command was stopped, where that is the terminal's doing.
	stopped chan struct{}
}

func startChild(cmd *exec.Cmd, g *guard, t *terminal) (*child, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if t != nil {
		t.lent = true
		cmd.SysProcAttr.Foreground, cmd.SysProcAttr.Ctty = true, t.fd
	}
	k := &child{cmd: cmd, guard: g, tty: t, ended: make(chan struct{}), stopped: make(chan struct{}, 1)}
	started := make(chan error)
	go k.watch(started)
	err := <-started
	if err != nil {
		t.takeBack()
	}
	return k, err
}

// watch starts the command and stays on its thread until the command has ended: the kernel sends Pdeathsig at the
// end of the thread that started, not of the process.
func (k *child) watch(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := k.cmd.Start()
	if err != nil {
		started <- err
		return
	}
	k.guard.watch(k.cmd.Process.Pid)
	started <- nil
	for k.await() {
	}
	close(k.ended)
}

// await waits for what becomes of the command, and is false when it has ended.
func (k *child) await() bool {
	pid, events := k.cmd.Process.Pid, unix.WEXITED|unix.WNOWAIT
	if k.tty != nil {
		events |= unix.WSTOPPED
	}
	const stopped = 5 // CLD_STOPPED
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, events, nil)
	switch {
	case errors.Is(err, unix.EINTR):
		return true
	case err != nil || info.Code != stopped:
		return false
	}
	_ = unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WNOHANG, nil) // taken note of
	select {
	case k.stopped <- struct{}{}:
	default:
	}
	return true
}

// suspend stops this process too, as the shell that started it expects, and goes on when the shell says so.
func (k *child) suspend() {
	k.tty.takeBack()
	k.tty.stop()
	k.tty.lend(k.cmd.Process.Pid)
	_ = k.signal(syscall.SIGCONT)
}

// signal sends a signal to all of the group. There may be nobody left to take it.
func (k *child) signal(s syscall.Signal) error {
	return syscall.Kill(-k.cmd.Process.Pid, s)
}

// status reaps the command, which has ended, and returns its exit status as a shell tells it.
func (k *child) status() int {
	k.tty.takeBack()
	k.guard.end()    // while the group's number is still its own
	_ = k.cmd.Wait() // it says again what the state says
	state := k.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if state.Signaled() {
		return 128 + int(state.Signal())
	}
	return state.ExitStatus()
}

// clean waits until nobody is left of the group of a command that was reaped, and kills who is when time is up.
func (k *child) clean(up <-chan time.Time) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for k.signal(0) == nil {
		select {
		case <-tick.C:
		case <-up:
			_ = k.signal(syscall.SIGKILL)
			return
		}
	}
}

// notRun is the exit status, as a shell tells it, for a command that could not be started.
func notRun(err error) int {
	const cannotRun, notFound = 126, 127
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return notFound
	}
	return cannotRun
}
