package sql

import (
	"context"
	"errors"
	"fmt"
	"syscall"
)

// fileLock is flock(2) on the database's file.
//
// Its descriptor is never closed: at any close of a file the kernel drops the POSIX locks that the process has
// on it, and SQLite's locks are such. For the same reason it is no os.File, which a collector would close.
type fileLock struct {
	path string
	fd   int
	open bool
}

func (l *fileLock) hold(context.Context) error {
	if err := l.follow(); err != nil {
		return err
	}
	err := syscall.Flock(l.fd, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrHeld
	}
	return err
}

// follow opens the file. When another has taken its place under the path it opens that, and says so once: for one
// pass nothing is to be judged by the ages in a file that was not there before.
func (l *fileLock) follow() error {
	var named, held syscall.Stat_t
	if err := syscall.Stat(l.path, &named); err != nil {
		return fmt.Errorf("look up %q: %w", l.path, err)
	}
	if l.open {
		if err := syscall.Fstat(l.fd, &held); err != nil {
			return fmt.Errorf("look up %q: %w", l.path, err)
		}
		if named.Dev == held.Dev && named.Ino == held.Ino {
			return nil
		}
	}
	fd, err := syscall.Open(l.path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %q: %w", l.path, err)
	}
	replaced := l.open
	l.fd, l.open = fd, true
	if replaced {
		return fmt.Errorf("the SQLite file %q was replaced by another, which is read from now on", l.path)
	}
	return nil
}

func (l *fileLock) close() error {
	if !l.open {
		return nil
	}
	return syscall.Flock(l.fd, syscall.LOCK_UN)
}
