package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

const (
	lease     = 3 * time.Second
	finishers = 5  // processes
	ahead     = 20 // jobs that wait to be claimed
)

// world is everything that a fault may meet.
type world struct {
	t        *testing.T
	random   *rand.Rand
	settings program.Settings
	db       *program.Database
	server   *pg.Server // nil on SQLite
	proxy    *pg.Proxy  // between the watchdog and the server
	disk     string     // of SQLite: a small file system; else empty
	clock    *program.Clock
	path     string // of the ledger
	ledger   ledger

	watchdog *program.Watchdog
	lives    []*program.Watchdog // all that there were
	fleet    []*program.Process
	jobs     int // made so far
}

// run starts everybody.
func (w *world) run(url string) {
	t := w.t
	w.path = filepath.Join(program.Folder(t), "ledger")
	var err error
	w.ledger, err = openLedger(w.path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.ledger.file.Close() })
	w.settings = program.For(t, url).With(program.Settings{"HEARTBEAT_LEASE": lease.String(), "HEARTBEAT_WARMUP": lease.String(),
		"CHECK_HOLD": "1s", "REAPER_FINALIZE_GRACE": "4s", "REAPER_CEILING": "2m", "DATABASE_TIMEOUT": "500ms",
		"REAPER_BRAKE_RATIO": "1", "REAPER_MAX_ATTEMPTS": "1000000"})
	if w.server != nil && full() {
		w.clock = program.NewClock(t)
	}
	w.serve()
	w.supply()
	for range finishers {
		w.fleet = append(w.fleet, w.finalizer())
	}
}

// serve starts the watchdog, also while the database is away.
func (w *world) serve() {
	require.NoError(w.t, w.ledger.write(line{What: started}))
	if w.clock != nil {
		w.watchdog = w.clock.Serve(w.t, w.settings)
	} else {
		w.watchdog = program.Serve(w.t, w.settings)
	}
	w.lives = append(w.lives, w.watchdog)
}

// finalizer starts one process of the fleet.
func (w *world) finalizer() *program.Process {
	self, err := os.Executable()
	require.NoError(w.t, err)
	cmd := exec.Command(self)
	cmd.Env = []string{ledgerVariable + "=" + w.path, databaseVariable + "=" + w.db.URL, socketVariable + "=" + w.settings["SOCKET"], "PATH=" + os.Getenv("PATH")}
	if w.clock != nil {
		cmd.Env = append(cmd.Env, clockVariable+"="+w.clock.Path())
	}
	return program.Start(w.t, cmd)
}

// supply sees to it that there are jobs to be claimed. The database may be away: then the next time.
func (w *world) supply() {
	queued, err := w.db.Count("SELECT count(*) FROM jobs WHERE status = 'queued'")
	if err != nil || queued >= ahead {
		return
	}
	var values []string
	for range ahead {
		w.jobs++
		values = append(values, fmt.Sprintf("(%d, 1, 'queued', 0, %s)", w.jobs, w.db.Ago(0)))
	}
	if w.db.Try("INSERT INTO jobs (id, task_id, status, attempt, created_at) VALUES "+strings.Join(values, ", ")) != nil {
		w.jobs -= ahead
	}
}

// any is one process of the fleet, by its place.
func (w *world) any() int { return w.random.IntN(len(w.fleet)) }

// while waits, for as long as the seed decides.
func (w *world) while(most time.Duration) {
	time.Sleep(time.Duration(w.random.Int64N(int64(most))))
}

func (w *world) note(what string, pid int, why string) {
	require.NoError(w.t, w.ledger.write(line{What: what, PID: pid, Why: why}))
}

// halt stops a process of the fleet for a while.
func (w *world) halt(p *program.Process, most time.Duration) {
	w.note(stopped, p.PID, "")
	p.Signal(w.t, syscall.SIGSTOP)
	w.while(most)
	p.Signal(w.t, syscall.SIGCONT)
	w.note(went, p.PID, "")
}

// kill kills a process of the fleet and starts another in its place.
func (w *world) kill(i int) {
	w.fleet[i].Signal(w.t, syscall.SIGKILL)
	<-w.fleet[i].Ended()
	w.fleet[i] = w.finalizer()
}

// settle waits until every job is finalized.
func (w *world) settle() {
	w.t.Helper()
	var left int
	for began := time.Now(); time.Since(began) < 90*time.Second; time.Sleep(50 * time.Millisecond) {
		var err error
		if left, err = w.db.Count("SELECT count(*) FROM jobs WHERE status IS NULL OR status <> 'done'"); err == nil && left == 0 {
			return
		}
	}
	w.t.Fatalf("%d of %d jobs were lost; the watchdog says\n%s", left, w.jobs, tail(w.watchdog.Output()))
}

func tail(text string) string { return text[max(0, len(text)-4000):] }

// reaps counts what the watchdogs have reaped, by reason.
func (w *world) reaps() map[string]int {
	counts := make(map[string]int)
	for _, life := range w.lives {
		for record := range strings.Lines(life.Output()) {
			if _, rest, ok := strings.Cut(record, `"msg":"reaped"`); ok {
				_, reason, _ := strings.Cut(rest, `"reason":"`)
				reason, _, _ = strings.Cut(reason, `"`)
				counts[reason]++
			}
		}
	}
	return counts
}
