package liveness

import (
	"errors"
	"fmt"
	"net"
	"os"

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
// means something here; it is 0 for a peer in another pid namespace. Only then: where the peer's own pidfd
// is refused, its pid may be another process's by now.
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
	if errors.Is(fdErr, unix.ENOPROTOOPT) && cred.Pid > 0 {
		w.peer.Proof = watchdog.ProofPID
		pidfd, fdErr = unix.PidfdOpen(int(cred.Pid), 0)
	}
	if reaped(fdErr) {
		w.gone = true
		return w, nil
	}
	if fdErr == nil {
		w.pidfd, fdErr = pollable(pidfd)
	}
	if fdErr != nil {
		w.peer.Proof = watchdog.ProofNone
	}
	return w, nil
}

// reaped reports whether a pidfd was refused because there is no such process any more. Linux 6.16 and newer
// give a pidfd even then; those before 6.15 say EINVAL.
func reaped(err error) bool { return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) }

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
