package prometheus

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// trouble brings about what an alert is about, and returns the watchdog that it is about.
type trouble func(t *testing.T, l *lab) (*program.Watchdog, program.Settings)

func troubles() map[string]trouble {
	return map[string]trouble{
		"FinalizerWatchdogDown":             killed,
		"FinalizerWatchdogAbsent":           unscraped,
		"FinalizerWatchdogDatabaseErrors":   away("FinalizerWatchdogDatabaseErrors"),
		"FinalizerWatchdogClockSkew":        skewed,
		"FinalizerWatchdogVersionsDisagree": leftBehind,
		"ReaperNotPassing":                  away("ReaperNotPassing"),
		"ReaperBackstop":                    tooOld("ReaperBackstop"),
		"ReaperFalseReap":                   tooOld("ReaperFalseReap"),
		"ReaperBraking":                     tooMany,
		"ReaperStandsBy":                    second,
		"ReaperLosesRaces":                  rival,
		"FinalizerStalled":                  silent,
		"FinalizerOwnedTooLong":             slow,
		"FinalizerDefersWithoutEnd":         waiting,
		"FinalizerLivenessOff":              switchedOff,
		"FinalizerSessionsWithoutProof":     oldKernel,
	}
}

// scraped is a watchdog over SQLite that Prometheus scrapes.
func (l *lab) scraped(t *testing.T, namespace string, s program.Settings) (*world, program.Settings) {
	t.Helper()
	w := &world{db: program.OnSQLite(t)}
	s = program.For(t, w.db.URL).With(program.Settings{"HEARTBEAT_LEASE": "1s"}).With(s)
	w.Watchdog = program.Serve(t, s)
	l.scrape(t, namespace, w.Watchdog)
	return w, s
}

func killed(t *testing.T, l *lab) (*program.Watchdog, program.Settings) {
	w, s := l.scraped(t, "FinalizerWatchdogDown", nil)
	w.Signal(t, syscall.SIGKILL)
	return w.Watchdog, s
}

func unscraped(t *testing.T, _ *lab) (*program.Watchdog, program.Settings) {
	s := program.For(t, program.OnSQLite(t).URL)
	return program.Serve(t, s), s
}

// away is a database that falls silent.
func away(alert string) trouble {
	return func(t *testing.T, l *lab) (*program.Watchdog, program.Settings) {
		d := program.OnPostgres(t, pg.New(t))
		proxy := pg.NewProxy(t, d.Postgres.Server.Addr)
		s := program.For(t, d.Postgres.At(proxy.Addr)+"?sslmode=disable").With(program.Settings{"DATABASE_TIMEOUT": "500ms"})
		w := program.Serve(t, s)
		l.scrape(t, alert, w)
		proxy.Silence()
		t.Cleanup(proxy.Resume)
		return w, s
	}
}

// skewed is a database whose clock is ten seconds ahead.
func skewed(t *testing.T, l *lab) (*program.Watchdog, program.Settings) {
	folder := program.Folder(t)
	ahead := "SELECT unixepoch('now', 'subsec') + 10 AS now\n"
	require.NoError(t, os.WriteFile(filepath.Join(folder, "now.sql"), []byte(ahead), 0o644))
	w, s := l.scraped(t, "FinalizerWatchdogClockSkew", program.Settings{"SQL_DIR": folder})
	return w.Watchdog, s
}

// leftBehind is a watchdog beside one of another version.
func leftBehind(t *testing.T, l *lab) (*program.Watchdog, program.Settings) {
	binary := filepath.Join(program.Folder(t), "watchdog")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, "github.com/finalizer-watchdog/watchdog/cmd/watchdog")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	content, err := os.ReadFile(binary)
	require.NoError(t, err)
	const unstamped, stamped = "finalizer-watchdog/watchdog\t(devel)\t", "finalizer-watchdog/watchdog\tv9.9.99\t"
	require.Contains(t, string(content), unstamped)
	require.NoError(t, os.WriteFile(binary, bytes.ReplaceAll(content, []byte(unstamped), []byte(stamped)), 0o755))

	s := program.For(t, program.OnSQLite(t).URL)
	first := program.Serve(t, s)
	other := launch(t, program.For(t, program.OnSQLite(t).URL), binary, nil)
	l.scrape(t, "FinalizerWatchdogVersionsDisagree", first, other)
	return first, s
}

// tooOld is a job past its ceiling whose owner lives, and speaks.
func tooOld(alert string) trouble {
	return func(t *testing.T, l *lab) (*program.Watchdog, program.Settings) {
		w, s := l.scraped(t, alert, nil)
		w.db.Finished(t, job, stage)
		late := program.Connect(t, w.Socket)
		token := late.Ask(t, fmt.Sprintf(`{"op":"mark","job":%d,"run":%d}`, job, program.FirstRun(job))).Token
		require.True(t, late.Ask(t, fmt.Sprintf(`{"op":"step","job":%d,"token":%d,"step":"merge-gate re-test"}`, job, token)).OK)
		w.db.Age(t, job, pastCeiling)
		require.Equal(t, "backstop", late.Hear(t).Reason)
		if alert == "ReaperFalseReap" {
			require.Equal(t, "revoked", late.Ask(t, fmt.Sprintf(`{"op":"check","job":%d,"token":%d}`, job, token)).Error)
		}
		return w.Watchdog, s
	}
}

func tooMany(t *testing.T, l *lab) (*program.Watchdog, program.Settings) {
	w, s := l.scraped(t, "ReaperBraking", program.Settings{"REAPER_BRAKE_MIN": "2", "REAPER_INTERVAL": "1s"})
	for id := int64(job); id < job+3; id++ {
		w.db.Finished(t, id, stage)
	}
	for id := int64(job); id < job+3; id++ {
		w.db.Age(t, id, pastGrace)
	}
	return w.Watchdog, s
}

// second is a watchdog on a database that another one has.
func second(t *testing.T, l *lab) (*program.Watchdog, program.Settings) {
	d := program.OnPostgres(t, pg.New(t))
	first := program.Serve(t, program.For(t, d.URL))
	program.Eventually(t, "the first has the database", func() bool { return first.Metric(t, "reaper_passes_total") > 0 })
	s := program.For(t, d.URL)
	w := program.Serve(t, s)
	l.scrape(t, "ReaperStandsBy", first, w)
	return w, s
}

// rival is somebody else who is at the jobs: their rows are locked whenever the watchdog comes.
func rival(t *testing.T, l *lab) (*program.Watchdog, program.Settings) {
	d := program.OnPostgres(t, pg.New(t))
	for id := int64(job); id < job+5; id++ {
		d.Finished(t, id, stage)
		d.Age(t, id, pastGrace)
	}
	tx, err := d.Postgres.Open(t).Begin()
	require.NoError(t, err)
	_, err = tx.Exec("UPDATE jobs SET status = 'queued'")
	require.NoError(t, err)
	s := program.For(t, d.URL).With(program.Settings{"REAPER_INTERVAL": "500ms"})
	w := program.Serve(t, s)
	l.scrape(t, "ReaperLosesRaces", w)
	t.Cleanup(func() { require.NoError(t, tx.Rollback()) })
	return w, s
}

func silent(t *testing.T, l *lab) (*program.Watchdog, program.Settings) {
	w, s := l.scraped(t, "FinalizerStalled", nil)
	w.finalizer(t, job).Signal(t, syscall.SIGSTOP)
	return w.Watchdog, s
}

func slow(t *testing.T, l *lab) (*program.Watchdog, program.Settings) {
	w, s := l.scraped(t, "FinalizerOwnedTooLong", nil)
	w.manyEnded(t)
	w.finalizer(t, job)
	return w.Watchdog, s
}

func waiting(t *testing.T, l *lab) (*program.Watchdog, program.Settings) {
	w, s := l.scraped(t, "FinalizerDefersWithoutEnd", nil)
	w.finalizer(t, job)
	w.db.Age(t, job, pastGrace)
	return w.Watchdog, s
}

func switchedOff(t *testing.T, l *lab) (*program.Watchdog, program.Settings) {
	w, s := l.scraped(t, "FinalizerLivenessOff", nil)
	l.follow(t, w.Watchdog, s, []string{"watchdog switch off"})
	return w.Watchdog, s
}

// oldKernel is a watchdog whose kernel knows no SO_PEERPIDFD and lets it open no pidfd either.
func oldKernel(t *testing.T, l *lab) (*program.Watchdog, program.Settings) {
	self, err := os.Executable()
	require.NoError(t, err)
	w := &world{db: program.OnSQLite(t)}
	s := program.For(t, w.db.URL)
	w.Watchdog = launch(t, s, self, []string{oldKernelVariable + "=" + program.Binary(t)})
	l.scrape(t, "FinalizerSessionsWithoutProof", w.Watchdog)
	w.finalizer(t, job)
	return w.Watchdog, s
}

// launch starts a watchdog from another binary than the tests' own.
func launch(t *testing.T, s program.Settings, binary string, env []string) *program.Watchdog {
	t.Helper()
	cmd := exec.Command(binary, "serve")
	cmd.Env = env
	for name, value := range s {
		cmd.Env = append(cmd.Env, "WATCHDOG_"+name+"="+value)
	}
	w := &program.Watchdog{Process: program.Start(t, cmd), Socket: s["SOCKET"]}
	w.Await(t)
	return w
}
