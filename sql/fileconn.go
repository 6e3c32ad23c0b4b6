package sql

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// fileConnector tells a file that is missing from one that SQLite cannot open.
type fileConnector struct {
	driver.Connector
	path string
}

func (c fileConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if !exists(c.path) {
		return nil, fmt.Errorf("the SQLite file %q does not exist (the watchdog creates none)", c.path)
	}
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner := conn.(sqliteConn)
	return &fileConn{sqliteConn: inner, kept: prepared{conn: inner}}, nil
}

// sqliteConn is all that the driver's connections can do and database/sql asks for.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// fileConn is a connection that keeps statements prepared.
type fileConn struct {
	sqliteConn
	kept prepared
}

func (c *fileConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if result, done, err := c.kept.exec(ctx, query, args); done {
		return result, err
	}
	return c.sqliteConn.ExecContext(ctx, query, args)
}

func (c *fileConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if rows, done, err := c.kept.query(ctx, query, args); done {
		return rows, err
	}
	return c.sqliteConn.QueryContext(ctx, query, args)
}
