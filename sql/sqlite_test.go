package sql

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// orchestratorFile tells a copy of the test binary to be an orchestrator on the file it names.
const orchestratorFile = "WATCHDOG_TEST_ORCHESTRATOR_FILE"

const claims = 60

// claimJobs is that orchestrator: it claims queued jobs, gives each a run that has finished long ago, and ends
// after so many, or when the test is gone.
func claimJobs(path string) (status int) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(20000)&_txlock=immediate")
	if err != nil {
		return 1
	}
	test := os.Getppid()
	for claimed := int64(0); claimed < claims && os.Getppid() == test; {
		n, err := claimJob(db)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		claimed += n
		time.Sleep(time.Millisecond) // SQLite's lock goes to whoever tries first, not to who waits
	}
	return 0
}

func claimJob(db *sql.DB) (int64, error) {
	tx, err := db.Begin()
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	var id int64
	err = tx.QueryRow("SELECT id FROM jobs WHERE status = 'queued' LIMIT 1").Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if _, err := tx.Exec("UPDATE jobs SET status = 'running', attempt = attempt + 1, started_at = '2026-03-14 11:30:00' WHERE id = ?", id); err != nil {
		return 0, err
	}
	if _, err := tx.Exec("INSERT INTO agent_runs (job_id, started_at, finished_at) VALUES (?, '2026-03-14 11:31:00', '2026-03-14 11:40:00')", id); err != nil {
		return 0, err
	}
	return 1, tx.Commit()
}

// Beside another process that writes the same file no call fails, no job is handed back twice for one claim,
// and no claim is lost.
func TestTwoProcessesOnOneFile(t *testing.T) {
	f := onSQLite(t)
	f.config.Timeout = time.Minute
	f.store = f.open(t, f.config)
	f.exec(t, "INSERT INTO jobs (id, status, attempt) VALUES (1, 'queued', 0), (2, 'queued', 0), (3, 'queued', 0), (4, 'queued', 0)")
	orchestrator := exec.CommandContext(t.Context(), os.Args[0])
	orchestrator.Env = append(os.Environ(), orchestratorFile+"="+f.config.URL[len("sqlite:"):])
	orchestrator.Stderr = os.Stderr
	require.NoError(t, orchestrator.Start())
	ended := make(chan error, 1)
	go func() { ended <- orchestrator.Wait() }()

	handed := 0
	for running := true; running; {
		select {
		case err := <-ended:
			require.NoError(t, err)
			running = false
		default:
		}
		handed += f.handBack(t)
	}
	var attempts, open int
	require.NoError(t, f.db.QueryRow("SELECT sum(attempt), sum(status = 'running') FROM jobs").Scan(&attempts, &open))
	require.Equal(t, claims, attempts)
	require.Equal(t, attempts, handed+open)
}

// handBack requeues what is due and counts what it changed.
func (f *fixture) handBack(t testing.TB) (changed int) {
	due, err := f.store.Due(t.Context(), noon, 2*time.Minute, 2*time.Hour, "", 100)
	require.NoError(t, err)
	for _, j := range due {
		tx, err := f.store.Begin(t.Context())
		require.NoError(t, err)
		ok, err := tx.Requeue(t.Context(), noon, j.ID, j.Version)
		require.NoError(t, err)
		require.NoError(t, tx.Commit(t.Context()))
		if ok {
			changed++
		}
	}
	return changed
}

func TestAWriterThatStaysIsWaitedForInBounds(t *testing.T) {
	f := onSQLite(t)
	f.config.Timeout = 200 * time.Millisecond
	f.store = f.open(t, f.config)
	writer, err := f.db.Begin()
	require.NoError(t, err)
	defer func() { require.NoError(t, writer.Rollback()) }()

	began := time.Now()
	_, err = f.store.Begin(t.Context())
	require.ErrorContains(t, err, "database is locked")
	require.Less(t, time.Since(began), 10*time.Second)
	var ms int // the bound itself, which no busy machine moves
	require.NoError(t, f.store.db.Get(&ms, "PRAGMA busy_timeout"))
	require.EqualValues(t, f.config.Timeout.Milliseconds()/2, ms)
	_, err = f.store.Counts(t.Context())
	require.NoError(t, err, "readers wait for nobody in WAL mode")
}

func TestAMissingFileIsNotCreated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.db")
	store, err := Open(Config{URL: "sqlite:" + path})
	require.NoError(t, err, "opening needs no database")
	defer func() { require.NoError(t, store.Close()) }()
	_, err = store.Now(t.Context())
	require.ErrorContains(t, err, "does not exist")
	_, err = store.Begin(t.Context())
	require.ErrorContains(t, err, "does not exist")
	require.NoFileExists(t, path)
}

func TestTheJournalModeStays(t *testing.T) {
	f := onSQLite(t)
	f.exec(t, "PRAGMA journal_mode = DELETE")
	store := f.open(t, f.config)
	tx, err := store.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	var mode string
	require.NoError(t, f.db.QueryRow("PRAGMA journal_mode").Scan(&mode))
	require.Equal(t, "delete", mode)
}

func TestPathsNeedNoEscape(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?#%41.db")
	f := onSQLite(t)
	f.exec(t, "VACUUM INTO '"+path+"'")
	_, err := f.open(t, Config{URL: "sqlite:" + path}).Counts(t.Context())
	require.NoError(t, err)
}

// A backup is restored by a rename over the file, beside a store that reads it.
func TestAFileThatWasReplacedIsReadAnew(t *testing.T) {
	f := onSQLite(t)
	path := f.config.URL[len("sqlite:"):]
	f.exec(t, "INSERT INTO jobs (id, status) VALUES (1, 'running')")
	f.exec(t, "VACUUM INTO '"+path+".backup'")
	f.exec(t, "INSERT INTO jobs (id, status) VALUES (2, 'running')")
	require.Equal(t, []string{"1", "2"}, f.openIDs(t))

	require.NoError(t, f.db.Close(), "the orchestrator is stopped, and the log of what is replaced removed")
	require.NoError(t, os.Remove(path+"-wal"))
	require.NoError(t, os.Remove(path+"-shm"))
	require.NoError(t, os.Rename(path+".backup", path))
	require.Equal(t, []string{"1"}, f.openIDs(t))
	tx, err := f.store.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Lock(t.Context(), "2")
	require.ErrorIs(t, err, watchdog.ErrNoJob, "a reap is for the file that is there")
	require.NoError(t, tx.Rollback())
}

func (f *fixture) openIDs(t testing.TB) (ids []string) {
	jobs, err := f.store.OpenJobs(t.Context(), noon, "", 10)
	require.NoError(t, err)
	for _, j := range jobs {
		ids = append(ids, string(j.ID))
	}
	return ids
}
