package faults

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// number is a number from the environment.
func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, variable)
	return n
}

// faults is how many there are to be in all.
func faults(t *testing.T) int {
	if full() {
		return number(t, "FAULTS", 1000)
	}
	return number(t, "FAULTS", 10)
}

func TestFaults(t *testing.T) {
	seed := number(t, "FAULTS_SEED", int(time.Now().Unix()%100_000))
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		server := pg.Start(t, pg.WithFsync()) // what was committed is to survive the crash
		in, err := server.Create()
		require.NoError(t, err)
		w := &world{t: t, server: server, proxy: pg.NewProxy(t, server.Addr), db: program.OnPostgres(t, in)}
		w.soak(in.At(w.proxy.Addr)+"?sslmode=disable", seed, faults(t)*5/10)
	})
	t.Run("straight", func(t *testing.T) { // so that statements are kept prepared
		t.Parallel()
		server := pg.Start(t, pg.WithFsync())
		in, err := server.Create()
		require.NoError(t, err)
		w := &world{t: t, server: server, db: program.OnPostgres(t, in)}
		w.soak(w.db.URL, seed, faults(t)*2/10)
	})
	t.Run("sqlite", func(t *testing.T) {
		if os.Geteuid() != 0 {
			asRoot(t)
			return
		}
		t.Parallel()
		w := &world{t: t, disk: small(t)}
		w.db = program.OnSQLiteIn(t, w.disk)
		w.soak(w.db.URL, seed, faults(t)*3/10)
	})
}

// small is a file system of a few megabytes, which can be filled.
func small(t *testing.T) string {
	t.Helper()
	dir := program.Folder(t)
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"), "mount a file system that can be filled")
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// asRoot runs the test again in a user namespace of its own, in which it is root and may mount.
func asRoot(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.v", "-test.run=^TestFaults$/^sqlite$")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}

// soak injects faults and then holds the ledger and the database to the guarantees.
func (w *world) soak(url string, seed, n int) {
	t := w.t
	t.Logf("FAULTS_SEED=%d, %d faults", seed, n)
	w.random = rand.New(rand.NewPCG(uint64(seed), 0))
	w.db.Exec(t, "INSERT INTO tasks (id, ref, title, stage) VALUES (1, 'ORCH-1', 'a task', 'deploy-staging')")
	w.run(url)
	kinds := w.kinds()
	injected := make(map[string]int)
	began := time.Now()
	for i := range n {
		k := w.draw(kinds)
		w.note(fault, 0, k.name)
		k.inject(w)
		injected[k.name]++
		w.supply()
		w.while(100 * time.Millisecond)
		if i%500 == 499 {
			require.Empty(t, broken(readLedger(t, w.path), lease), "after %d faults of seed %d; the ledger is %s", i+1, seed, w.kept())
		}
	}
	w.settle()
	all := readLedger(t, w.path)
	require.Empty(t, broken(all, lease), "seed %d; the ledger is %s", seed, w.kept())
	w.tell(all, injected, time.Since(began))
}

// draw is the next fault.
func (w *world) draw(kinds []kind) kind {
	sum := 0
	for _, k := range kinds {
		sum += k.weight
	}
	at := w.random.IntN(sum)
	for _, k := range kinds {
		if at -= k.weight; at < 0 {
			return k
		}
	}
	panic("the weights add up")
}

// kept is where the ledger is kept for whoever looks into it.
func (w *world) kept() string {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("ledger-%d", time.Now().UnixNano()))
	text, err := os.ReadFile(w.path)
	require.NoError(w.t, err)
	var logs strings.Builder
	for _, life := range w.lives {
		logs.WriteString(life.Output())
	}
	require.NoError(w.t, os.WriteFile(path, text, 0o600))
	require.NoError(w.t, os.WriteFile(path+".log", []byte(logs.String()), 0o600))
	return path
}

// tell prints what came about.
func (w *world) tell(all []line, injected map[string]int, took time.Duration) {
	counts := make(map[string]int)
	for _, e := range all {
		counts[e.What]++
	}
	w.t.Logf("%d jobs finalized in %d claims, %d acts in a hold, %d finalizers told that they lost their job; %v", counts[closed], counts[claimed], counts[act], counts[revoked], took.Round(time.Millisecond))
	w.t.Logf("reaped: %v", w.reaps())
	for _, name := range slices.Sorted(maps.Keys(injected)) {
		w.t.Logf("%5d  %s", injected[name], name)
	}
	assert.Positive(w.t, counts[closed])
	assert.Positive(w.t, counts[act])
}
