package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// river is the queue River, of the module beside this package, over a database of its own.
type river struct {
	path string
	d    *program.Database
	job  time.Duration // how long a job takes, and may
}

// rescues takes how long it is from the kill of a worker of River until its job is rescued, for workers that are
// killed at different moments of the rescuer's interval.
func rescues(t *testing.T, s scale, server *pg.Server) ([]time.Duration, error) {
	t.Helper()
	r := &river{path: filepath.Join(t.TempDir(), "river"), job: s.riverJob}
	build := exec.Command("go", "build", "-o", r.path, ".")
	build.Dir = "river"
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build it: %w: %s", err, output)
	}
	r.d = database(t, server)
	r.run(t, "migrate", r.d.URL)
	defer finish(t, r.start(t, "maintain", r.d.URL, r.job.String()))
	program.Eventually(t, "it leads", func() bool { return r.d.Text(t, "SELECT count(*) FROM river_leader") == "1" })

	living := r.work(t, 0)
	defer finish(t, living)
	var killed []time.Time
	for i := range s.riverKills {
		worker := r.work(t, i+1)
		finish(t, worker)
		killed = append(killed, time.Now())
		<-time.After(30 * time.Second / time.Duration(s.riverKills+1))
	}
	took := make([]time.Duration, len(killed))
	for i, at := range killed {
		for r.state(t, i+1) == "running" {
			require.Less(t, time.Since(at), r.job+2*time.Minute, "River does not rescue the job")
			<-time.After(50 * time.Millisecond)
		}
		took[i] = time.Since(at)
	}
	require.Equal(t, "1", r.d.Text(t, "SELECT attempt FROM river_job WHERE queue = 'q0'"), "the one that lived was left alone")
	return took, nil
}

// work starts a worker, and gives it a job of its own.
func (r *river) work(t *testing.T, number int) *program.Process {
	t.Helper()
	queue := "q" + strconv.Itoa(number)
	worker := r.start(t, "work", r.d.URL, r.job.String(), queue)
	r.run(t, "insert", r.d.URL, queue)
	program.Eventually(t, "the job is worked", func() bool { return r.state(t, number) == "running" })
	return worker
}

func (r *river) state(t *testing.T, number int) string {
	t.Helper()
	return r.d.Text(t, fmt.Sprintf("SELECT CAST(state AS text) FROM river_job WHERE queue = 'q%d'", number))
}

func (r *river) run(t *testing.T, args ...string) {
	t.Helper()
	output, err := exec.Command(r.path, args...).CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func (r *river) start(t *testing.T, args ...string) *program.Process {
	t.Helper()
	p := program.Start(t, exec.Command(r.path, args...))
	program.Eventually(t, "River is ready", func() bool { return p.Output() == ready })
	return p
}
