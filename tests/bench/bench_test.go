package bench

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role, os.Args[1:]))
	}
	os.Exit(program.Run(m))
}

const roleVariable = "FIGURES_ROLE"

// play is what the test binary does when it is started in a role.
func play(role string, args []string) int {
	roles := map[string]func(args []string) error{"echo": beEcho, "owner": beOwner, "updater": beUpdater}
	if err := roles[role](args); err != nil {
		fmt.Fprintf(os.Stderr, "be the %s: %v\n", role, err)
		return 1
	}
	return 0
}

// cast starts the test binary in a role, and returns once it has said that it is ready.
func cast(t testing.TB, role string, args ...string) *program.Process {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, args...)
	cmd.Env = []string{roleVariable + "=" + role}
	p := program.Start(t, cmd)
	for p.Output() != ready {
		select {
		case <-p.Ended():
			t.Fatalf("the %s ended: %s", role, p.Output())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return p
}

// finish ends a process that is not needed any more.
func finish(t testing.TB, p *program.Process) {
	t.Helper()
	p.Signal(t, syscall.SIGKILL)
	p.Wait(t, program.Patience)
}

// ready is what a role prints when it is.
const ready = "ready\n"

// scale is how much is measured.
type scale struct {
	rounds      int
	span        time.Duration // of one round
	connections []int
	alive       []int // jobs that are kept alive
	aliveSpan   time.Duration
	kills       int
	riverJob    time.Duration // how long a live job of River's may take; 0: River is left out
	riverKills  int
	history     int
	open        []int
	due         []int
	passes      int
	interval    time.Duration // between them
	owners      []int
	queue       []int // jobs in /queue
	idle        time.Duration
	starts      int
	peers       bool // programs that the tests do not need
	fsync       bool
}

func tiny() scale {
	return scale{rounds: 1, span: 20 * time.Millisecond, connections: []int{1, 8}, alive: []int{1, 50}, aliveSpan: 50 * time.Millisecond,
		kills: 1, history: 500, open: []int{10, 50}, due: []int{0, 5}, passes: 1, interval: 50 * time.Millisecond, owners: []int{1, 20}, queue: []int{10, 50},
		idle: 50 * time.Millisecond, starts: 1}
}

func whole() scale {
	return scale{rounds: 5, span: 2 * time.Second, connections: []int{1, 64, 1000}, alive: []int{1, 1000, 100_000},
		aliveSpan: time.Minute, kills: 200, riverJob: time.Minute, riverKills: 5, history: 1_000_000, open: []int{1000, 100_000},
		due: []int{0, 100, 10_000}, passes: 11, interval: 500 * time.Millisecond, owners: []int{1, 1000, 100_000}, queue: []int{1000, 100_000}, idle: time.Minute, starts: 11, peers: true, fsync: true}
}

// TestFigures makes the measurements, and writes docs/performance.md where FIGURES asks for them: the path of the
// file.
func TestFigures(t *testing.T) {
	path := os.Getenv("FIGURES")
	s := tiny()
	if path != "" {
		s = whole()
		if jobs := os.Getenv("FIGURES_JOBS"); jobs != "" {
			n, err := strconv.Atoi(jobs)
			require.NoError(t, err, "FIGURES_JOBS is how many jobs a pass goes over")
			s.history = n
		}
	} else if os.Getenv("WATCHDOG_TEST_ALL") != "" {
		s.riverJob, s.riverKills = time.Second, 1
	}
	server := s.server(t)
	r := &report{machine: machine(t, server)}
	for _, figure := range []struct {
		name    string
		measure func(*testing.T, scale, *pg.Server) section
	}{{"roundtrips", roundTrips}, {"alive", alive}, {"recovery", recoveries}, {"passes", passes}, {"pages", pages}, {"bill", bill}} {
		t.Run(figure.name, func(t *testing.T) {
			began := time.Now()
			measured := figure.measure(t, s, server)
			r.sections = append(r.sections, measured)
			t.Logf("measured in %v\n%s", time.Since(began).Round(time.Second), measured.markdown())
		})
	}
	if path != "" {
		require.NoError(t, r.write(path))
	}
}

// server is PostgreSQL for all figures: durable where they count.
func (s scale) server(t *testing.T) *pg.Server {
	if s.fsync {
		return pg.Start(t, pg.WithFsync())
	}
	return pg.Start(t)
}

// database is a new one of the server's, with the orchestrator's schema.
func database(t *testing.T, server *pg.Server) *program.Database {
	t.Helper()
	in, err := server.Create()
	require.NoError(t, err)
	return program.OnPostgres(t, in)
}
