package container

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Container is what to run, and as whom.
type Container struct {
	Root    string   // the folder that is seen as the root; nobody can write to it by that way
	Mounts  []Mount  // their places must be there, or be below a tmpfs that is mounted earlier
	User    int      // as which it runs
	Group   int      // its own group
	Groups  []int    // those that it has beside it
	Command []string // the first is a path inside
	Env     []string
	Cgroups []string // folders of the groups that it runs in
}

// Mount is what is seen at a place inside.
type Mount struct {
	From     string // a folder or file outside; empty for an empty tmpfs
	At       string // inside
	ReadOnly bool
}

const variable = "CONTAINER_TO_ENTER"

// placed is a container with the folder over which its root is mounted.
type placed struct {
	Container
	Place string
}

// Cmd is the command that runs the container. Its process id, seen from here, is that of the container's first
// process.
func (c Container) Cmd(t testing.TB) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("it makes containers, which takes root: sudo env PATH=$PATH go test")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("make a container: %v", err)
	}
	told, err := json.Marshal(placed{c, t.TempDir()})
	if err != nil {
		t.Fatalf("make a container: %v", err)
	}
	cmd := exec.Command(self)
	cmd.Env = []string{variable + "=" + string(told)}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
	}
	return cmd
}

// Scratch makes a root that holds one program and nothing else, and the places where something will be mounted.
func Scratch(t testing.TB, binary string, places ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, place := range append(places, "/proc") {
		if err := os.MkdirAll(filepath.Join(root, place), 0o755); err != nil {
			t.Fatalf("make a root: %v", err)
		}
	}
	content, err := os.ReadFile(binary)
	if err == nil {
		err = os.WriteFile(filepath.Join(root, filepath.Base(binary)), content, 0o755)
	}
	if err == nil {
		err = os.Chmod(root, 0o755)
	}
	if err != nil {
		t.Fatalf("make a root: %v", err)
	}
	return root
}
