package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// fileConnector tells a file that is missing from one that SQLite cannot open.
type fileConnector struct {
	driver.Connector
	path string
}

// Connect looks at the file before it opens it: if another takes its place in between, the connection is taken for
// one to the old file, which costs no more than a connection.
func (c fileConnector) Connect(ctx context.Context) (driver.Conn, error) {
	file, err := os.Stat(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the SQLite file %q does not exist (the watchdog creates none)", c.path)
	}
	if err != nil {
		return nil, fmt.Errorf("look up the SQLite file: %w", err)
	}
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner := conn.(sqliteConn)
	return &fileConn{sqliteConn: inner, kept: prepared{conn: inner}, path: c.path, file: file}, nil
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

// fileConn is a connection that keeps statements prepared, and knows its file: whoever restores a backup renames
// another over it, and SQLite would go on with the one that is gone.
type fileConn struct {
	sqliteConn
	kept prepared
	path string
	file os.FileInfo
}

// ResetSession has the pool drop a connection whose file is no longer the one under its path.
func (c *fileConn) ResetSession(ctx context.Context) error {
	named, err := os.Stat(c.path)
	if err != nil || !os.SameFile(named, c.file) {
		return driver.ErrBadConn
	}
	return c.sqliteConn.ResetSession(ctx)
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
