package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
)

// Both ends of the connection as the server knows them; NULL on a Unix socket.
const tellEnds = `SELECT host(inet_client_addr()) || '|' || inet_client_port() || '|' || host(inet_server_addr()) || '|' || inet_server_port()`

// straight reports whether nobody stands between this connection and the server: both name the same two ends. A
// prepared statement outlives its transaction, and a pooler would hand it to somebody else. Where addresses are
// translated on the way the answer is no, and a pass and a recovery cost the planning of their statements each time.
func (c *boundedConn) straight(ctx context.Context) (bool, error) {
	local, tcp := c.net.LocalAddr().(*net.TCPAddr)
	remote, alike := c.net.RemoteAddr().(*net.TCPAddr)
	if !tcp || !alike {
		return false, nil
	}
	ends, err := c.tell(ctx, tellEnds)
	if err != nil {
		return false, fmt.Errorf("ask the server for the connection's ends: %w", err)
	}
	ours := fmt.Sprintf("%s|%d|%s|%d", local.IP, local.Port, remote.IP, remote.Port)
	return fmt.Sprintf("%s", ends) == ours, nil
}

// tell is the one value of the one row that a query gives.
func (c *boundedConn) tell(ctx context.Context, query string) (driver.Value, error) {
	rows, err := c.QueryContext(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	value := make([]driver.Value, 1)
	if err := rows.Next(value); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, rows.Close())
	}
	return value[0], rows.Close()
}
