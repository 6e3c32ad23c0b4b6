package liveness

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Socket is the watchdog's listening socket and the file that names it. Ours is safe for concurrent use, the
// rest is for one goroutine.
type Socket struct {
	path     string
	mode     fs.FileMode
	lock     *os.File
	listener *net.UnixListener

	mu    sync.Mutex
	inode os.FileInfo
}

// Listen makes the socket. The file appears with its mode at once: it is made under another name and
// renamed, which also replaces the file of a watchdog that died. It is an error when another process listens
// there, or when the path is no socket.
func Listen(ctx context.Context, path string, mode fs.FileMode) (*Socket, error) {
	// The folder is shared with peers: a link that one of them put there is followed nowhere.
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("lock socket: %s.lock is a symbolic link; remove it", path)
	}
	if err != nil {
		return nil, fmt.Errorf("lock socket: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock socket %s: another watchdog serves it: %w", path, err), lock.Close())
	}
	s := &Socket{path: path, mode: mode, lock: lock}
	if err := s.bind(ctx); err != nil {
		return nil, errors.Join(err, unlock(lock))
	}
	return s, nil
}

// unlock gives the lock up at once: a process that is just being forked shares the descriptor for a moment.
func unlock(lock *os.File) error {
	return errors.Join(unix.Flock(int(lock.Fd()), unix.LOCK_UN), lock.Close())
}

func (s *Socket) bind(ctx context.Context) error {
	if err := vacant(ctx, s.path); err != nil {
		return err
	}
	born := bornAt(s.path)
	if err := os.Remove(born); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("listen on %s: %w", s.path, err)
	}
	listener, err := bear(ctx, born)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.path, err)
	}
	if err := s.publish(born); err != nil {
		return errors.Join(fmt.Errorf("listen on %s: %w", s.path, err), listener.Close())
	}
	s.listener = listener
	return nil
}

// bornAt is the path at which the socket is made: it has a short name, since even the socket's own would be too long
// behind that of the folder's descriptor, and one of its own, since the folder may have several.
func bornAt(path string) string {
	name := fnv.New32a()
	_, _ = name.Write([]byte(filepath.Base(path)))
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".%08x", name.Sum32()))
}

// bear makes the socket, with a file that nobody may use. It is named by way of the folder's descriptor: the
// name of a socket is short, and the path may leave no room for another.
func bear(ctx context.Context, path string) (*net.UnixListener, error) {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	config := net.ListenConfig{Control: closedAtBirth}
	l, err := config.Listen(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), filepath.Base(path)))
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return nil, op.Err // without that name, which means nothing to a person
	}
	if err != nil {
		return nil, err
	}
	listener := l.(*net.UnixListener)
	listener.SetUnlinkOnClose(false)
	return listener, nil
}

func (s *Socket) publish(born string) error {
	file, err := os.OpenFile(born, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	inode, err := file.Stat()
	if err != nil {
		return err
	}
	if inode.Mode().Type() != fs.ModeSocket {
		return errors.New("somebody put another file in its place")
	}
	if err := os.Chmod(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), s.mode); err != nil {
		return err
	}
	s.mu.Lock()
	s.inode = inode
	s.mu.Unlock()
	return os.Rename(born, s.path)
}

// closedAtBirth lets nobody in until the socket has its mode and its name.
func closedAtBirth(_, _ string, raw syscall.RawConn) error {
	var err error
	if ctl := raw.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0) }); ctl != nil {
		return ctl
	}
	return err
}

// vacant reports whether the path is free, or has the socket of a process that is gone.
func vacant(ctx context.Context, path string) error {
	there, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at socket: %w", err)
	}
	if there.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("listen on %s: there is something that is no socket; remove it or choose another path", path)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("listen on %s: another process listens there", path), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("look at socket: %w", err)
	}
	return nil
}

// Ours reports whether the path still names this socket.
func (s *Socket) Ours() bool {
	there, err := os.Lstat(s.path)
	s.mu.Lock()
	defer s.mu.Unlock()
	return err == nil && os.SameFile(there, s.inode)
}

// Again makes the socket again after its file was removed. The old one is closed; connections stay.
func (s *Socket) Again(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o750); err != nil {
		return fmt.Errorf("make socket again: %w", err)
	}
	old := s.listener
	if err := s.bind(ctx); err != nil {
		return err
	}
	return old.Close()
}

// Close stops listening and removes the file, if it is still ours.
func (s *Socket) Close() error {
	var removed error
	if s.Ours() {
		removed = os.Remove(s.path)
	}
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(removed, err, unlock(s.lock))
}
