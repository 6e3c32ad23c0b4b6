package main

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is the one that hold was started on, in the foreground, and lends to its command: who reads from a
// terminal in its background is stopped. A nil terminal is none. It is for one goroutine.
type terminal struct {
	fd        int
	group     int            // hold's own
	lent      bool           // to the command's group
	continued chan os.Signal // SIGCONT
}

// stopsWithin is how long it may take the kernel to stop this process.
const stopsWithin = 100 * time.Millisecond

// terminal is the terminal behind stdin, if this process's group has its foreground; else nil.
func (c *command) terminal() *terminal {
	f, ok := c.stdin.(*os.File)
	if !ok {
		return nil
	}
	t := &terminal{fd: int(f.Fd()), group: unix.Getpgrp(), continued: make(chan os.Signal, 1)}
	if !t.mine() {
		return nil
	}
	c.notify(t.continued, syscall.SIGCONT)
	return t
}

func (t *terminal) mine() bool {
	front, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
	return err == nil && front == t.group
}

// lend puts a group into the foreground, if this one is there.
func (t *terminal) lend(group int) {
	if t != nil && t.mine() {
		t.front(group)
		t.lent = true
	}
}

func (t *terminal) takeBack() {
	if t != nil && t.lent {
		t.front(t.group)
		t.lent = false
	}
}

// front is tcsetpgrp(3). The kernel stops whoever calls it in the background, unless SIGTTOU is blocked.
func (t *terminal) front(group int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var block, before unix.Sigset_t
	block.Val[0] = 1 << (unix.SIGTTOU - 1)
	if unix.PthreadSigmask(unix.SIG_BLOCK, &block, &before) != nil {
		return
	}
	_ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, group) // a terminal that has gone needs no foreground
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
}

// stop stops this process and all of its group, as Ctrl-Z would have if the command were not in a group of its own. It
// returns when the shell has continued them, or before long where no shell could, and the kernel stops nobody.
func (t *terminal) stop() {
	select {
	case <-t.continued: // of another time
	default:
	}
	_ = syscall.Kill(0, syscall.SIGTSTP) // which another thread may take, later than this one goes on
	select {
	case <-t.continued:
	case <-time.After(stopsWithin):
	}
}
