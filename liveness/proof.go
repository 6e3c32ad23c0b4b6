package liveness

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/finalizer-watchdog/watchdog"
)

// witness is the means to learn of a peer's death.
type witness struct {
	peer Peer
	// pidfd names the process that connected; nil without proof. Reading from it blocks in the runtime's
	// poller, not in a thread.
	pidfd *os.File
	// gone reports that the process had exited before a pidfd could be had: proof as well.
	gone bool
}

// identify asks the kernel who connected. Without SO_PEERPIDFD (Linux before 6.5) the pid serves where it
// means something here; it is 0 for a peer in another pid namespace.
func identify(conn *net.UnixConn) (witness, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return witness{}, fmt.Errorf("identify peer: %w", err)
	}
	var cred *unix.Ucred
	var pidfd int
	var credErr, fdErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		pidfd, fdErr = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	}); err != nil {
		return witness{}, fmt.Errorf("identify peer: %w", err)
	}
	if credErr != nil {
		return witness{}, fmt.Errorf("identify peer: get SO_PEERCRED: %w", credErr)
	}
	w := witness{peer: Peer{UID: int(cred.Uid), PID: int(cred.Pid), Proof: watchdog.ProofPidfd}}
	if errors.Is(fdErr, unix.ESRCH) {
		w.gone = true
		return w, nil
	}
	if fdErr != nil && cred.Pid > 0 {
		w.peer.Proof = watchdog.ProofPID
		pidfd, fdErr = unix.PidfdOpen(int(cred.Pid), 0)
	}
	if fdErr == nil {
		w.pidfd, fdErr = pollable(pidfd)
	}
	if fdErr != nil {
		w.peer.Proof = watchdog.ProofNone
	}
	return w, nil
}

func pollable(fd int) (*os.File, error) {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// awaitExit blocks until the process has exited, and is false when the pidfd was closed before. It also
// wakes for an exit that happened before the call.
func awaitExit(pidfd *os.File) bool {
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return false
	}
	exited := false
	err = raw.Read(func(fd uintptr) bool {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		exited = n == 1 && poll[0].Revents&unix.POLLIN != 0
		return exited || err != nil && !errors.Is(err, unix.EINTR)
	})
	return err == nil && exited
}

// drain reads what was in the socket when it was called and no more: a child of a dead process may hold the
// same socket, and go on writing.
func drain(conn *net.UnixConn, each func([]byte) bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, 4096)
	left := -1
	for left != 0 {
		n := 0
		if err := raw.Control(func(fd uintptr) {
			if left < 0 {
				left, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ)
			}
			n, _, _ = unix.Recvfrom(int(fd), buf[:min(len(buf), left)], syscall.MSG_DONTWAIT)
		}); err != nil || n <= 0 || !each(buf[:n]) {
			return
		}
		left -= n
	}
}
