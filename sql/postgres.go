package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	stdsql "database/sql"
)

func openPostgres(src source) *sqlx.DB {
	db := stdsql.OpenDB(connector{cfg: src.server, timeout: src.timeout, steady: src.steady})
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(2)
	db.SetConnMaxIdleTime(time.Minute)
	db.SetConnMaxLifetime(30 * time.Minute)
	return sqlx.NewDb(db, "postgres")
}

// connector dials connections whose every wait has an end.
type connector struct {
	cfg     pq.Config
	timeout time.Duration
	steady  bool // one plan of each statement fits all values
}

// Connect dials and logs in within the timeout, or until the context ends.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	d := &dialer{}
	inner, err := pq.NewConnectorConfig(c.cfg)
	if err != nil {
		return nil, err
	}
	inner.Dialer(d)
	stop := context.AfterFunc(ctx, d.interrupt)
	defer stop()
	conn, err := inner.Connect(ctx)
	if err != nil {
		return nil, err
	}
	bounded := &boundedConn{pqConn: conn.(pqConn), net: d.settle(), timeout: c.timeout, cancel: func() bool { return true }}
	straight, err := bounded.straight(ctx)
	if err != nil {
		return nil, errors.Join(err, bounded.Close())
	}
	if straight {
		if err := bounded.spare(ctx, c.steady); err != nil {
			return nil, errors.Join(err, bounded.Close())
		}
		bounded.kept = &prepared{conn: bounded.pqConn}
	}
	return bounded, nil
}

// spare keeps the server from what takes longer than to run our statements: to compile them, however costly the
// planner expects them to be, and to plan them anew at each call where one plan fits all values.
func (c *boundedConn) spare(ctx context.Context, steady bool) error {
	settings := "SET jit = off"
	if steady {
		settings += "; SET plan_cache_mode = force_generic_plan"
	}
	if _, err := c.ExecContext(ctx, settings, nil); err != nil {
		return fmt.Errorf("set up how the server plans: %w", err)
	}
	return nil
}

// Driver is lib/pq's.
func (connector) Driver() driver.Driver { return &pq.Driver{} }

// dialer remembers the connection that lib/pq keeps to itself.
type dialer struct {
	mu      sync.Mutex
	conn    net.Conn
	settled bool // conn is the one; what is dialled from then on cancels a statement
}

func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d *dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	n := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
		Control:         boundUnacknowledged,
	}
	if d.isSettled() {
		return dialErrand(ctx, &n, network, address)
	}
	conn, err := n.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn = conn
	return conn, nil
}

// settle gives the connection that lib/pq has logged in on.
func (d *dialer) settle() net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settled = true
	return d.conn
}

func (d *dialer) isSettled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settled
}

// errand is a connection for a cancel request. lib/pq does not let the call of a prepared statement return before it
// was answered, and would wait for that as long as for a login.
type errand struct {
	net.Conn
	until time.Time
}

func dialErrand(ctx context.Context, n *net.Dialer, network, address string) (net.Conn, error) {
	until := time.Now().Add(slack)
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	conn, err := n.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return errand{conn, until}, nil
}

// SetDeadline leaves no more than the errand has.
func (e errand) SetDeadline(t time.Time) error {
	if t.IsZero() || t.After(e.until) {
		t = e.until
	}
	return e.Conn.SetDeadline(t)
}

func (d *dialer) dialled() net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conn
}

// interrupt ends a login that outlasts its context.
func (d *dialer) interrupt() {
	if conn := d.dialled(); conn != nil {
		_ = conn.SetDeadline(time.Now())
	}
}

// boundUnacknowledged sets TCP_USER_TIMEOUT: a peer that acknowledges nothing for so long is gone, also when
// nobody is waiting for it.
func boundUnacknowledged(network, _ string, raw syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	const tcpUserTimeout = 18
	var err error
	control := raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, 30_000)
	})
	if control != nil {
		return control
	}
	return err
}
