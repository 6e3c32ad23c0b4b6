package sql

import (
	"context"
	"errors"

	stdsql "database/sql"
)

// errPooled is the one arrangement in which a session's lock means nothing: the session is somebody else's after
// each statement.
var errPooled = errors.New("the connection leads through a transaction pooler, where no lock can be held: " +
	"set WATCHDOG_DATABASE_DIRECT_URL to the server's own address")

// sessionLock is an advisory lock and the one connection that has it.
type sessionLock struct {
	db   *stdsql.DB
	conn *stdsql.Conn // nil: none has it
	pid  int          // the server's process behind conn
}

func newSessionLock(src source) *sessionLock {
	db := openPostgres(src).DB
	db.SetConnMaxLifetime(0)
	db.SetMaxIdleConns(-1) // a connection that is given back is closed, and with it the lock
	return &sessionLock{db: db}
}

// The key spells "watchdog". pg_locks shows its halves.
const (
	tellOwn = `EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted
		AND classid = 2002875491 AND objid = 1751412583 AND objsubid = 1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`
	tellSession = `SELECT pg_backend_pid(), ` + tellOwn
	// A new session that has the lock already was handed on by a pooler.
	takeLock = `SELECT pg_backend_pid(), ` + tellOwn + `,
		CASE WHEN NOT ` + tellOwn + ` THEN pg_try_advisory_lock(8602284733556354919) ELSE false END`
)

func (l *sessionLock) hold(ctx context.Context) error {
	if l.conn != nil {
		pid, own, err := session(ctx, l.conn)
		if err == nil && own && pid == l.pid {
			return nil
		}
		l.drop()
		if err == nil && pid != l.pid {
			return errPooled
		}
	}
	return l.take(ctx)
}

func (l *sessionLock) take(ctx context.Context) error {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return err
	}
	if err := l.takeOn(ctx, conn); err != nil {
		_ = conn.Close()
		return err
	}
	return nil
}

func (l *sessionLock) takeOn(ctx context.Context, conn *stdsql.Conn) error {
	before, _, err := session(ctx, conn)
	if err != nil {
		return err
	}
	if err := l.probe(ctx, before); err != nil {
		return err
	}
	var pid int
	var already, taken bool
	if err := conn.QueryRowContext(ctx, takeLock).Scan(&pid, &already, &taken); err != nil {
		return err
	}
	switch {
	case already, pid != before:
		return errPooled
	case !taken:
		return ErrHeld
	}
	l.conn, l.pid = conn, pid
	return nil
}

// probe opens a second connection beside the one whose server process is pid: two clients that meet the same
// process are a pooler's.
func (l *sessionLock) probe(ctx context.Context, pid int) error {
	beside, err := l.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = beside.Close() }()
	other, _, err := session(ctx, beside)
	if err != nil {
		return err
	}
	if other == pid {
		return errPooled
	}
	return nil
}

// session tells which server process answers and whether it has the lock.
func session(ctx context.Context, conn *stdsql.Conn) (pid int, own bool, err error) {
	err = conn.QueryRowContext(ctx, tellSession).Scan(&pid, &own)
	return pid, own, err
}

func (l *sessionLock) drop() {
	_ = l.conn.Close()
	l.conn, l.pid = nil, 0
}

func (l *sessionLock) close() error {
	if l.conn != nil {
		l.drop()
	}
	return l.db.Close()
}
