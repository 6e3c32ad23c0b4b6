package pg

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// StartBouncer puts a PgBouncer with transaction pooling in front of a server, with at most servers
// connections to each database, and returns its address. It ends with the test.
func StartBouncer(t testing.TB, s *Server, servers int) (addr string) {
	t.Helper()
	dir, err := folder(s.as)
	if err != nil {
		t.Fatalf("make PgBouncer's folder: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	addr, err = startBouncer(t, s, dir, servers)
	if err != nil {
		t.Fatalf("start PgBouncer: %v", err)
	}
	return addr
}

func startBouncer(t testing.TB, s *Server, dir string, servers int) (string, error) {
	pgbouncer, err := program("pgbouncer", "pgbouncer")
	if err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	serverHost, serverPort, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return "", err
	}
	users := filepath.Join(dir, "users")
	settings := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = transaction
default_pool_size = %d
max_client_conn = 500
`, serverHost, serverPort, port, users, servers)
	if err := os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", s.User, s.Password), 0o644); err != nil {
		return "", err
	}
	if err := os.WriteFile(settings, []byte(text), 0o644); err != nil {
		return "", err
	}
	p, err := launch(s.as, "process up", pgbouncer, settings)
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { p.stop(syscall.SIGINT) })
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}
