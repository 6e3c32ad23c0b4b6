package sql

import (
	"context"
	"errors"
	"sync"
)

// ErrHeld is why Hold fails when all is well but for another watchdog.
var ErrHeld = errors.New("another watchdog has this database")

// Exclusive keeps a second watchdog from acting on the same database. On PostgreSQL it is an advisory lock of a
// session of its own, which is why it cannot be held through a transaction pooler; on SQLite it is flock(2) on
// the file, apart from SQLite's own locks. Neither writes anything. It may be used by many goroutines.
type Exclusive struct {
	source
	mu   sync.Mutex
	lock holder
}

// holder is the lock of one dialect. Its methods are not called at once.
type holder interface {
	hold(ctx context.Context) error
	close() error
}

// NewExclusive prepares to hold the database of the URL, which must lead past any pooler. It takes nothing yet.
func NewExclusive(cfg Config) (*Exclusive, error) {
	src, err := parse(cfg)
	if err != nil {
		return nil, err
	}
	e := &Exclusive{source: src}
	if src.dialect == sqlite {
		e.lock = &fileLock{path: src.path}
	} else {
		e.lock = newSessionLock(src)
	}
	return e, nil
}

// Hold returns nil when the database is this process's alone: it makes sure of that on each call, takes what
// nobody has, and takes again what was lost. Otherwise the error says what stands in the way. It ends within
// the configured timeout, or little later when the database is silent.
func (e *Exclusive) Hold(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	return e.failed(ctx, "hold the database", e.lock.hold(ctx))
}

// Close gives the database back.
func (e *Exclusive) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fail("release the database", e.lock.close())
}
