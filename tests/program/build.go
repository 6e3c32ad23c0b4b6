package program

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
)

// built is the watchdog of this test binary. TestMain has no other way to hand anything to tests.
var built struct {
	sync.Once
	folder string
	err    error
}

// Run runs the tests of a binary and returns the exit status for os.Exit. In a process that Connect has started
// it is the peer instead.
func Run(m *testing.M) int { return RunParallel(m, 6) }

// RunParallel is Run, with so many tests at once: as many as is good where they wait for processes far more than they
// compute.
func RunParallel(m *testing.M, parallel int) int {
	if socket := os.Getenv(peerVariable); socket != "" {
		return bePeer(socket)
	}
	defer func() { _ = os.RemoveAll(built.folder) }()
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(parallel)); err != nil {
		panic("a flag of every test binary: " + err.Error())
	}
	return pg.Run(m)
}

const watchdogPackage = "github.com/finalizer-watchdog/watchdog/cmd/watchdog"

// Binary is the path of the built watchdog.
func Binary(t testing.TB) string {
	t.Helper()
	built.Do(func() { built.folder, built.err = build() })
	if built.err != nil {
		t.Fatalf("build the watchdog: %v", built.err)
	}
	return filepath.Join(built.folder, "watchdog")
}

func build() (folder string, err error) {
	folder, err = os.MkdirTemp("", "wdbin")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", folder, watchdogPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return folder, run(cmd)
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s: %w\n%s", cmd, err, out)
	}
	return nil
}

// Folder is a temporary folder with a name short enough for a socket in it, which a test's own may not be.
func Folder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "wd")
	if err != nil {
		t.Fatalf("make a folder: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}
