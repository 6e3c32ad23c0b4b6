package liveness

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/finalizer-watchdog/watchdog"
)

// identify asks the kernel who connected. Without SO_PEERPIDFD (Linux before 6.5) the pid serves where it
// means something here; it is 0 for a peer in another pid namespace. Only then: where the peer's own pidfd
// is refused, its pid may be another process's by now.
func identify(conn *net.UnixConn) (Arrival, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Arrival{}, fmt.Errorf("identify peer: %w", err)
	}
	var cred *unix.Ucred
	var fd int
	var credErr, fdErr error
	if err := raw.Control(func(socket uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(socket), unix.SOL_SOCKET, unix.SO_PEERCRED)
		fd, fdErr = unix.GetsockoptInt(int(socket), unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	}); err != nil {
		return Arrival{}, fmt.Errorf("identify peer: %w", err)
	}
	if credErr != nil {
		return Arrival{}, fmt.Errorf("identify peer: get SO_PEERCRED: %w", credErr)
	}
	a := Arrival{Stream: conn, Peer: Peer{UID: int(cred.Uid), PID: int(cred.Pid), Proof: watchdog.ProofPidfd}}
	if errors.Is(fdErr, unix.ENOPROTOOPT) && cred.Pid > 0 {
		a.Peer.Proof = watchdog.ProofPID
		fd, fdErr = unix.PidfdOpen(int(cred.Pid), 0)
	}
	if reaped(fdErr) {
		a.Process = gone{}
		return a, nil
	}
	var file *os.File
	if fdErr == nil {
		file, fdErr = pollable(fd)
	}
	if fdErr != nil {
		a.Peer.Proof = watchdog.ProofNone
		return a, nil
	}
	a.Process = pidfd{file}
	return a, nil
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

// gone is a process that had exited before a pidfd of it could be had: proof as well.
type gone struct{}

func (gone) AwaitExit() bool { return true }
func (gone) Close() error    { return nil }

// pidfd names the process that connected. Reading from it blocks in the runtime's poller, not in a thread.
type pidfd struct{ file *os.File }

func (p pidfd) Close() error {
	if err := p.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func (p pidfd) AwaitExit() bool {
	raw, err := p.file.SyscallConn()
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
