package pg

import (
	"database/sql"
	"net/url"
	"sync"
	"testing"
)

// Database is one database of a server.
type Database struct {
	Server *Server
	Name   string
}

// shared is the server of this test binary: one for all tests, since starting it takes seconds. It is the
// one variable of the package: TestMain has no other way to hand anything to tests.
var shared struct {
	sync.Mutex
	server *Server
}

// Run runs the tests of a binary and stops the shared server afterwards. It returns the exit status for
// os.Exit.
func Run(m *testing.M) int {
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.server != nil {
			shared.server.remove()
		}
	}()
	return m.Run()
}

// New gives a test a new, empty database of the shared server. The binary's TestMain must use Run.
func New(t testing.TB) *Database {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		server, err := start()
		if err != nil {
			t.Fatalf("start a PostgreSQL server: %v", err)
		}
		shared.server = server
	}
	d, err := shared.server.Create()
	if err != nil {
		t.Fatalf("create a database: %v", err)
	}
	return d
}

// URL is the database's, over TCP and with the superuser's password.
func (d *Database) URL() string { return d.Server.URL(d.Name) }

// At is the database's URL with another address, as of a proxy or of PgBouncer, in place of the server's.
func (d *Database) At(addr string) string {
	u, err := url.Parse(d.URL())
	if err != nil {
		panic("a URL of our own making: " + err.Error())
	}
	u.Host = addr
	return u.String()
}

// As is the database's URL with another user.
func (d *Database) As(user, password string) string {
	u, err := url.Parse(d.URL())
	if err != nil {
		panic("a URL of our own making: " + err.Error())
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// Open connects to the database as its superuser, for as long as the test runs.
func (d *Database) Open(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", d.URL()+"?sslmode=disable")
	if err != nil {
		t.Fatalf("open %s: %v", d.Name, err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Exec runs statements, separated by semicolons and without parameters, as the superuser.
func (d *Database) Exec(t testing.TB, statements string) {
	t.Helper()
	db, err := sql.Open("postgres", d.URL()+"?sslmode=disable")
	if err != nil {
		t.Fatalf("open %s: %v", d.Name, err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec(statements); err != nil {
		t.Fatalf("execute in %s: %v", d.Name, err)
	}
}
