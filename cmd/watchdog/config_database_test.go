package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// asNobody calls f on a thread whose real user is nobody, so that a check of permissions means something
// also when the tests run as root. The thread is not used again.
func asNobody[T any](f func() T) T {
	result := make(chan T)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
		if os.Getuid() == 0 {
			const nobody, same = 65534, ^uintptr(0)
			if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, same, same); errno != 0 {
				panic(errno)
			}
		}
		result <- f()
	}()
	return <-result
}

func urlFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestTheURLMayComeFromAFile(t *testing.T) {
	path := urlFile(t, " \npostgres://u:hunter2@h/d\n")
	c, err := loadDatabaseConfig([]string{"WATCHDOG_DATABASE_URL_FILE=" + path, "WATCHDOG_DATABASE_URL="})
	require.NoError(t, err)
	assert.Equal(t, secretURL("postgres://u:hunter2@h/d"), c.DatabaseURL)
	assert.Equal(t, secretURL("postgres://u:hunter2@h/d"), c.DatabaseDirectURL)
}

func TestTheURLHasOnePlace(t *testing.T) {
	path := urlFile(t, "postgres://u@h/d")
	assert.Equal(t, []string{
		"WATCHDOG_DATABASE_URL=postgres://orchestrator@db.example/orch: must be unset, or WATCHDOG_DATABASE_URL_FILE: " +
			"the database's URL has one place",
	}, faultsOf(t, sound(t, "WATCHDOG_DATABASE_URL_FILE="+path)))

	assert.Equal(t, []string{
		"WATCHDOG_DATABASE_URL: must be set, or WATCHDOG_DATABASE_URL_FILE: postgres://USER:PASSWORD@HOST:PORT/NAME or sqlite:PATH",
	}, faultsOf(t, []string{"WATCHDOG_SOCKET=" + t.TempDir() + "/s"}))
}

func TestFaultyURLFiles(t *testing.T) {
	socket := "WATCHDOG_SOCKET=" + t.TempDir() + "/s"

	path := urlFile(t, "mysql://u:hunter2@h/d")
	assert.Equal(t, []string{
		`WATCHDOG_DATABASE_URL_FILE="` + path + `": its URL must be postgres://USER:PASSWORD@HOST:PORT/NAME, with special ` +
			`characters percent-encoded (%40 for @), or sqlite:PATH`,
	}, faultsOf(t, []string{socket, "WATCHDOG_DATABASE_URL_FILE=" + path}))

	empty := urlFile(t, "\n")
	lines := faultsOf(t, []string{socket, "WATCHDOG_DATABASE_URL_FILE=" + empty})
	require.Len(t, lines, 1)
	assert.Contains(t, lines[0], "its URL must be postgres://")

	assert.Equal(t, []string{
		`WATCHDOG_DATABASE_URL_FILE="/no/such/file": must be a readable file: no such file or directory`,
	}, faultsOf(t, []string{socket, "WATCHDOG_DATABASE_URL_FILE=/no/such/file"}))

	assert.Equal(t, []string{
		`WATCHDOG_DATABASE_URL_FILE=postgres://u@h/d: must be a readable file: no such file or directory`,
	}, faultsOf(t, []string{socket, "WATCHDOG_DATABASE_URL_FILE=postgres://u:hunter2@h/d"}), "the URL where the path belongs")
}

func TestDatabaseURLs(t *testing.T) {
	for _, good := range []string{"postgres://h/d", "postgresql://u:p@h:5432/d?sslmode=disable", "postgres:///d?host=/run/pg",
		"sqlite:orch.db", "sqlite:/var/orch.db", "sqlite:///var/orch.db"} {
		_, err := loadDatabaseConfig([]string{"WATCHDOG_DATABASE_URL=" + good})
		assert.NoError(t, err, good)
	}
	for _, bad := range []string{"POSTGRES://u:hunter2@h/d", "postgres://u:hunter2@h/d?sslmode=bogus", "postgres://u:hunter2@h/d?connect_timeout=abc",
		"postgres://u:hunter2/@h/d", "mysql://u:hunter2@h/d", "host=h password=hunter2", "hunter2", "postgres:hunter2", "sqlite:", "sqlite://",
		"postgres://u:hunter2%zz@h/d", "u:hunter2@h/d", " postgres://u:hunter2@h/d"} {
		_, err := loadDatabaseConfig([]string{"WATCHDOG_DATABASE_URL=" + bad})
		if assert.Error(t, err, bad) {
			assert.Contains(t, err.Error(), "WATCHDOG_DATABASE_URL=")
			assert.NotContains(t, err.Error(), "hunter2")
		}
	}
}

func TestTheDirectURLIsOfTheSameDatabase(t *testing.T) {
	const direct = "WATCHDOG_DATABASE_DIRECT_URL=postgres://u:hunter2@h/d"
	_, err := loadDatabaseConfig([]string{"WATCHDOG_DATABASE_URL=sqlite:orch.db", direct})
	assert.EqualError(t, err, "WATCHDOG_DATABASE_DIRECT_URL=postgres://u@h/d: must be unset where the database is a SQLite file, which has no pooler")
	_, err = loadDatabaseConfig([]string{"WATCHDOG_DATABASE_URL=postgres://u@h/d", direct + "?sslmode=bogus"})
	assert.ErrorContains(t, err, `WATCHDOG_DATABASE_DIRECT_URL=postgres://u@h/d: must have parameters that can be used: wrong value for "sslmode"`)
}

func TestRedact(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                    "",
		"postgres://u:hunter2@h:5432/d?x=y#z": "postgres://u@h:5432/d",
		"postgres://h/d?password=hunter2":     "postgres://h/d",
		"postgresql://u:p@hunter2@h/d":        notShown,
		"postgres://u:hun/ter2@h/d":           notShown,
		"postgres://u:1/hunter2@h/d":          notShown,
		"postgres://u:1?hunter2@h/d":          notShown,
		"postgres://u:1#hunter2@h/d":          notShown,
		"postgres://u:p@1/hunter2@h/d":        notShown,
		"postgres:u:hunter2@h/d":              notShown,
		"postgres:hunter2":                    notShown,
		"mysql://u:hunter2@h/d":               notShown,
		"host=h password=hunter2":             notShown,
		"hunter2":                             notShown,
		"sqlite:/var/orch.db?key=hunter2":     "sqlite:/var/orch.db",
	} {
		shown := redact(raw)
		assert.Equal(t, want, shown, raw)
		assert.False(t, strings.Contains(shown, "hunter2"))
	}
}
