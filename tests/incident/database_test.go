package incident

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// TestDatabaseAwayAndBack puts a black hole between the watchdog and its database: the socket goes on answering, a
// death in the meantime is recovered when it is back, and nothing has to be restarted.
func TestDatabaseAwayAndBack(t *testing.T) {
	t.Parallel()
	in := pg.New(t)
	d := program.OnPostgres(t, in)
	proxy := pg.NewProxy(t, in.Server.Addr)
	w := program.Serve(t, program.For(t, in.At(proxy.Addr)+"?sslmode=disable").With(program.Settings{"DATABASE_TIMEOUT": "2s"}))
	victim, _ := owned(t, w, d, job, guarded)
	passes(t, w, 2)

	proxy.Silence()
	program.Eventually(t, "it is noticed", func() bool { return w.Metric(t, "watchdog_database_up") == 0 })
	p := program.Connect(t, w.Socket)
	require.True(t, p.Ask(t, mark(job+1)).OK, "a mark needs no database")
	assert.Contains(t, w.Get(t, "/readyz"), "database: away")
	victim.Signal(t, syscall.SIGKILL)
	failures := w.Metric(t, "reaper_pass_failures_total")
	program.Eventually(t, "passes go on failing", func() bool { return w.Metric(t, "reaper_pass_failures_total") > failures })
	assert.Equal(t, "running 1", d.Status(t, job))

	proxy.Resume()
	becomes(t, d, job, "queued 1")
	program.Eventually(t, "it is up again", func() bool { return w.Metric(t, "watchdog_database_up") == 1 })
}

// A pass that waits for a database that says nothing, for an hour if need be, does not keep the end waiting.
func TestSIGTERMEndsWhileTheDatabaseIsSilent(t *testing.T) {
	t.Parallel()
	in := pg.New(t)
	proxy := pg.NewProxy(t, in.Server.Addr)
	program.OnPostgres(t, in)
	w := program.Serve(t, program.For(t, in.At(proxy.Addr)+"?sslmode=disable").With(program.Settings{"DATABASE_TIMEOUT": "1h"}))
	passes(t, w, 2)
	proxy.Silence()
	last, since := 0.0, time.Now()
	program.Eventually(t, "a pass waits", func() bool {
		if now := w.Metric(t, "reaper_passes_total"); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	})
	w.Signal(t, syscall.SIGTERM)
	assert.Equal(t, 0, w.Wait(t, program.Patience), w.Output())
	assert.NoFileExists(t, w.Socket)
}

func TestAPostgresThatCrashesAndComesBack(t *testing.T) {
	t.Parallel()
	server := pg.Start(t, pg.WithFsync()) // what was committed is to survive the crash
	in, err := server.Create()
	require.NoError(t, err)
	d := program.OnPostgres(t, in)
	w := program.Serve(t, program.For(t, d.URL))
	victim, _ := owned(t, w, d, job, guarded)
	server.Stop()
	victim.Signal(t, syscall.SIGKILL)
	program.Eventually(t, "it is noticed", func() bool { return w.Metric(t, "watchdog_database_up") == 0 })
	require.NoError(t, server.Restart())
	becomes(t, d, job, "queued 1")
}

// TestThePasswordIsNeverShown looks for it in all that the watchdog says, with a database that answers, one that
// refuses the password and one that is not there.
func TestThePasswordIsNeverShown(t *testing.T) {
	t.Parallel()
	in := pg.New(t)
	d := program.OnPostgres(t, in)
	password := in.Server.Password
	wrong := "pw-that-is-wrong"
	for name, url := range map[string]string{
		"up":      d.URL,
		"refused": strings.Replace(d.URL, password, wrong, 1),
		"away":    in.At("127.0.0.1:1") + "?sslmode=disable",
		"unknown": strings.Replace(d.URL, "postgres", "mysql", 1),
		"broken":  strings.Replace(d.URL, "@", "@%zz", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := program.For(t, url).With(program.Settings{"LOG_LEVEL": "debug"})
			said := strings.Builder{}
			w := program.Launch(t, s)
			if name == "unknown" || name == "broken" {
				assert.Equal(t, 2, w.Wait(t, program.Patience), w.Output())
			} else {
				w = served(t, w, name == "up")
				for _, path := range []string{"/", "/queue?limit=7", "/metrics", "/readyz", "/healthz"} {
					said.WriteString(w.Body(t, path))
				}
				said.WriteString(fmt.Sprint(program.Connect(t, w.Socket).AskRaw(t, `{"op":"status"}`)))
				w.Signal(t, syscall.SIGTERM)
				w.Wait(t, program.Patience)
			}
			help := exec.Command(program.Binary(t), "serve", "--help")
			help.Env = []string{"WATCHDOG_DATABASE_URL=" + url}
			text, err := help.CombinedOutput()
			require.NoError(t, err)
			said.Write(text)
			said.WriteString(w.Output())
			require.Greater(t, said.Len(), 1000, "something was said")
			assert.NotContains(t, said.String(), password)
			assert.NotContains(t, said.String(), wrong)
		})
	}
}

// served waits until a launched watchdog has made a pass, good or bad.
func served(t *testing.T, w *program.Watchdog, good bool) *program.Watchdog {
	t.Helper()
	w.Await(t)
	series := "reaper_passes_total"
	if !good {
		series = "reaper_pass_failures_total"
	}
	program.Eventually(t, series+" rises", func() bool { return w.Metric(t, series) > 0 })
	return w
}
