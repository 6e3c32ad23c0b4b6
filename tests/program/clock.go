package program

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Clock is the clock of a machine, for processes that a test starts: it can be stepped, while CLOCK_MONOTONIC and
// CLOCK_BOOTTIME stay true. The product has no hook for it. A process that uses the C library gets a library
// preloaded; the watchdog, which is static, is built from files in which time.Now is another function.
type Clock struct{ file string }

// NewClock makes a clock that tells the true time.
func NewClock(t testing.TB) *Clock {
	t.Helper()
	c := &Clock{file: filepath.Join(Folder(t), "step")}
	c.Step(t, 0)
	return c
}

// Path is the file that says by how many seconds the clock is ahead, for processes that look themselves.
func (c *Clock) Path() string { return c.file }

// Step sets the clock to so much ahead of the true time, in whole seconds.
func (c *Clock) Step(t testing.TB, by time.Duration) {
	t.Helper()
	written := c.file + ".new"
	if err := os.WriteFile(written, []byte(strconv.Itoa(int(by.Seconds()))), 0o600); err != nil {
		t.Fatalf("step the clock: %v", err)
	}
	if err := os.Rename(written, c.file); err != nil {
		t.Fatalf("step the clock: %v", err)
	}
}

// Env is the environment of a process that uses the C library and lives by this clock.
func (c *Clock) Env(t testing.TB) []string {
	t.Helper()
	return []string{"CLOCK_STEP=" + c.file, "LD_PRELOAD=" + filepath.Join(steppedBuild(t), "clock.so")}
}

// Serve is the function Serve, for a watchdog that lives by this clock.
func (c *Clock) Serve(t testing.TB, s Settings) *Watchdog {
	t.Helper()
	cmd := exec.Command(filepath.Join(steppedBuild(t), "watchdog"), "serve")
	cmd.Env = []string{"CLOCK_STEP=" + c.file}
	w := launch(t, cmd, s)
	w.Await(t)
	return w
}

// stepped is what was built for clocks, once for a test binary.
var stepped struct {
	sync.Once
	err error
}

func steppedBuild(t testing.TB) (folder string) {
	t.Helper()
	folder = filepath.Join(filepath.Dir(Binary(t)), "stepped")
	stepped.Do(func() { stepped.err = buildStepped(folder) })
	if stepped.err != nil {
		t.Fatalf("build for a clock that can be stepped: %v", stepped.err)
	}
	return folder
}

var (
	//go:embed testdata/clock.c
	clockC []byte
	//go:embed testdata/clock.go.txt
	clockGo []byte
)

func buildStepped(folder string) error {
	if err := os.Mkdir(folder, 0o755); err != nil { // other users' processes load the library
		return err
	}
	source := filepath.Join(folder, "clock.c")
	if err := os.WriteFile(source, clockC, 0o600); err != nil {
		return err
	}
	if err := run(exec.Command("gcc", "-Wall", "-Werror", "-O2", "-shared", "-fPIC", "-o", filepath.Join(folder, "clock.so"), source)); err != nil {
		return err
	}
	overlay, err := writeOverlay(folder)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-overlay", overlay, "-o", folder, watchdogPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return run(cmd)
}

// writeOverlay writes the files that stand in for those of the product that read the clock.
func writeOverlay(folder string) (path string, err error) {
	list := exec.Command("go", "list", "-deps", "-json=Dir,Name,GoFiles,Module", watchdogPackage)
	output, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("list packages: %w", err)
	}
	replace := make(map[string]string)
	for packages := json.NewDecoder(bytes.NewReader(output)); packages.More(); {
		var p listed
		if err := packages.Decode(&p); err != nil {
			return "", fmt.Errorf("read a package: %w", err)
		}
		if p.Module == nil || !p.Module.Main {
			continue
		}
		if err := p.overlay(folder, replace); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path = filepath.Join(folder, "overlay.json")
	return path, os.WriteFile(path, text, 0o600)
}

// listed is a package as go list gives it.
type listed struct {
	Dir, Name string
	GoFiles   []string
	Module    *struct{ Main bool }
}

var readsClock = regexp.MustCompile(`\btime\.Now\b`)

func (p listed) overlay(folder string, replace map[string]string) error {
	stands := func(name string, text []byte) error {
		in := filepath.Join(folder, strconv.Itoa(len(replace))+".go")
		replace[filepath.Join(p.Dir, name)] = in
		return os.WriteFile(in, text, 0o600)
	}
	read := false
	for _, name := range p.GoFiles {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return err
		}
		if !readsClock.Match(text) {
			continue
		}
		read = true
		text = append(readsClock.ReplaceAll(text, []byte("steppedNow")), "\nvar _ time.Time // it may be all that is left of the package\n"...)
		if err := stands(name, text); err != nil {
			return err
		}
	}
	if !read {
		return nil
	}
	return stands("stepped_now.go", bytes.Replace(clockGo, []byte("PACKAGE"), []byte(p.Name), 1))
}
