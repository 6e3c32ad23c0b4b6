package pg

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	_ "github.com/lib/pq" // the driver that creates the databases
)

// Server is one PostgreSQL server. It listens on loopback TCP, where a password is asked for, and on a Unix
// socket, where none is.
type Server struct {
	Addr     string // host:port
	Socket   string // the folder of the Unix socket
	User     string // a superuser
	Password string

	dir       string
	as        *syscall.Credential
	args      []string
	process   *process
	databases atomic.Int64
}

// Option changes how a server is started.
type Option func(*Server)

// WithFsync makes commits durable, as they are in production: for measurements. Without it they are not.
func WithFsync() Option {
	return func(s *Server) { s.args = append(s.args, "-c", "fsync=on", "-c", "synchronous_commit=on") }
}

// Start gives a test a server of its own, which ends with the test.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	s, err := start(options...)
	if err != nil {
		t.Fatalf("start a PostgreSQL server: %v", err)
	}
	t.Cleanup(s.remove)
	return s
}

func start(options ...Option) (_ *Server, err error) {
	as, err := account()
	if err != nil {
		return nil, err
	}
	dir, err := folder(as)
	if err != nil {
		return nil, err
	}
	s := &Server{User: "postgres", Password: "pw-" + rand.Text(), Socket: dir, dir: dir, as: as}
	defer func() {
		if err != nil {
			s.remove()
		}
	}()
	if err := s.initialise(); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s.args = []string{"-D", filepath.Join(dir, "data"), "-k", dir, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "shared_buffers=64MB",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"}
	for _, option := range options {
		option(s)
	}
	return s, s.Restart()
}

func (s *Server) initialise() error {
	initdb, err := postgresBinary("initdb")
	if err != nil {
		return err
	}
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(s.Password+"\n"), 0o644); err != nil {
		return err
	}
	cmd := exec.Command(initdb, "-D", filepath.Join(s.dir, "data"), "-U", s.User, "--pwfile", secret,
		"--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run initdb: %w\n%s", err, out)
	}
	return nil
}

// Restart starts a server that was stopped, on the same address.
func (s *Server) Restart() error {
	postgres, err := postgresBinary("postgres")
	if err != nil {
		return err
	}
	s.process, err = launch(s.as, "database system is ready to accept connections", postgres, s.args...)
	return err
}

// Stop ends the server at once, as a crash would: its clients' connections break, its data stays.
func (s *Server) Stop() {
	s.process.stop(syscall.SIGQUIT)
}

// Signal sends a signal to all processes of the server.
func (s *Server) Signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	for _, pid := range s.Processes(t) {
		_ = syscall.Kill(pid, signal) // it may have ended meanwhile
	}
}

// Processes are the ids of the server's processes, its first one last.
func (s *Server) Processes(t testing.TB) []int {
	t.Helper()
	first := s.process.cmd.Process.Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", first))
	if err != nil {
		t.Fatalf("list the server's processes: %v", err)
	}
	var pids []int
	for word := range strings.FieldsSeq(string(children)) {
		if child, err := strconv.Atoi(word); err == nil {
			pids = append(pids, child)
		}
	}
	return append(pids, first)
}

func (s *Server) remove() {
	if s.process != nil {
		s.Stop()
	}
	_ = os.RemoveAll(s.dir)
}

// URL is that of one of the server's databases, over TCP and with the password.
func (s *Server) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(s.User, s.Password), Host: s.Addr, Path: "/" + database}
	return u.String()
}

// Create makes a new, empty database, which lives as long as the server.
func (s *Server) Create() (*Database, error) {
	db, err := sql.Open("postgres", s.URL("postgres")+"?sslmode=disable")
	if err != nil {
		return nil, err
	}
	name := "test" + strconv.FormatInt(s.databases.Add(1), 10)
	_, err = db.Exec("CREATE DATABASE " + name + " TEMPLATE template0")
	return &Database{Server: s, Name: name}, errors.Join(err, db.Close())
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
