package sql

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"net"
	"sync"
	"time"
)

// slack is how much longer than its context a connection waits: time for the cancel request, which lib/pq sends
// when the context ends, to reach the server and for the server's answer to come back.
const slack = 500 * time.Millisecond

// pqConn is all that lib/pq's connections can do and database/sql asks for.
type pqConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Tx // a connection is its own transaction
	driver.Validator
}

// boundedConn sets a deadline on the network connection before lib/pq, which sets none, waits on it: the end of
// the context and a slack, and sooner when the context is cancelled. The deadline also holds for the rows that
// are read after a query has returned.
type boundedConn struct {
	pqConn
	net     net.Conn
	timeout time.Duration // of what has no context
	kept    *prepared     // nil: a pooler may stand between

	mu       sync.Mutex
	turn     int           // counts the waits; a context speaks only for the wait that it was given to
	deadline time.Time     // of the last wait
	hasty    time.Duration // the most that a wait without a context may take, once its caller has to end; 0: timeout
	cancel   func() bool   // lets go of the last wait's context
}

func (c *boundedConn) bound(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel()
	c.turn++
	turn := c.turn
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(cmp.Or(c.hasty, c.timeout))
	}
	c.until(deadline.Add(slack))
	c.cancel = context.AfterFunc(ctx, func() { c.hurry(turn) })
}

// hurry ends a wait whose context is done, unless another wait has begun.
func (c *boundedConn) hurry(turn int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turn == turn {
		c.until(time.Now().Add(slack))
	}
}

// hasten leaves the wait that goes on, and each later one without a context, no more than d.
func (c *boundedConn) hasten(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hasty = min(c.timeout, d)
	if soon := time.Now().Add(d); soon.Before(c.deadline) {
		c.until(soon)
	}
}

func (c *boundedConn) until(deadline time.Time) {
	c.deadline = deadline
	_ = c.net.SetDeadline(deadline)
}

// BeginTx begins with one round trip. The server ends what waits too long, also when we are gone by then: a lock earlier
// than the rest, so that the error says what was waited for.
func (c *boundedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.bound(ctx)
	// READ COMMITTED lets a later statement see what the lock waited for.
	mode := "READ WRITE"
	if opts.ReadOnly {
		mode = "READ ONLY"
	}
	ms := c.timeout.Milliseconds()
	_, err := c.pqConn.ExecContext(ctx, fmt.Sprintf("BEGIN ISOLATION LEVEL READ COMMITTED %s; SET LOCAL statement_timeout = %d; "+
		"SET LOCAL lock_timeout = %d; SET LOCAL idle_in_transaction_session_timeout = %[2]d", mode, ms, max(ms/2, 1)), nil)
	if err != nil {
		return nil, err
	}
	return boundedTx{c}, nil
}

func (c *boundedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.bound(ctx)
	return c.pqConn.PrepareContext(ctx, query)
}

func (c *boundedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.bound(ctx)
	if result, done, err := c.kept.exec(ctx, query, args); done {
		return result, err
	}
	return c.pqConn.ExecContext(ctx, query, args)
}

func (c *boundedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.bound(ctx)
	if rows, done, err := c.kept.query(ctx, query, args); done {
		return rows, err
	}
	return c.pqConn.QueryContext(ctx, query, args)
}

func (c *boundedConn) Ping(ctx context.Context) error {
	c.bound(ctx)
	return c.pqConn.Ping(ctx)
}

func (c *boundedConn) Close() error {
	c.bound(context.Background())
	return c.pqConn.Close()
}

// boundedTx ends a transaction within the connection's timeout: database/sql gives Commit no context.
type boundedTx struct{ conn *boundedConn }

func (t boundedTx) Commit() error {
	t.conn.bound(context.Background())
	return t.conn.pqConn.Commit()
}

// Rollback does not wait long: without a connection the server rolls back by itself.
func (t boundedTx) Rollback() error {
	ctx, cancel := context.WithTimeout(context.Background(), min(t.conn.timeout, time.Second))
	defer cancel()
	t.conn.bound(ctx)
	return t.conn.pqConn.Rollback()
}
