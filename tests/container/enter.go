package container

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Enter becomes the container's program in a process that Cmd started, and returns in any other.
func Enter() {
	told := os.Getenv(variable)
	if told == "" {
		return
	}
	runtime.LockOSThread() // what is dropped here must be gone in the thread that becomes the program
	err := enter(told)
	fmt.Fprintln(os.Stderr, "enter the container:", err)
	os.Exit(125)
}

func enter(told string) error {
	var c placed
	if err := json.Unmarshal([]byte(told), &c); err != nil {
		return err
	}
	for _, group := range c.Cgroups {
		if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0); err != nil {
			return fmt.Errorf("join a cgroup: %w", err)
		}
	}
	if err := c.mount(); err != nil {
		return err
	}
	path, err := exec.LookPath(c.Command[0])
	if err != nil {
		return err
	}
	if err := c.become(); err != nil {
		return err
	}
	return fmt.Errorf("execute %s: %w", path, unix.Exec(path, c.Command, c.Env))
}

// mount makes the root from what there is, and leaves the rest behind.
func (c placed) mount() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("part from the host's mounts: %w", err)
	}
	if err := bind(c.Root, c.Place, true); err != nil {
		return err
	}
	for _, m := range append([]Mount{{At: "/proc"}}, c.Mounts...) {
		if err := m.in(c.Place); err != nil {
			return err
		}
	}
	if err := unix.Chdir(c.Place); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot to %s: %w", c.Place, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the host's root: %w", err)
	}
	return unix.Chdir("/")
}

func (m Mount) in(root string) error {
	at := filepath.Join(root, m.At)
	switch {
	case m.At == "/proc":
		return unix.Mount("proc", at, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	case m.From == "":
		return unix.Mount("tmpfs", at, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755")
	}
	if err := m.makePlace(at); err != nil {
		return err
	}
	return bind(m.From, at, m.ReadOnly)
}

// makePlace makes what is not there to be mounted upon, which can only be below a tmpfs.
func (m Mount) makePlace(at string) error {
	if _, err := os.Stat(at); err == nil {
		return nil
	}
	from, err := os.Stat(m.From)
	if err != nil {
		return err
	}
	if from.IsDir() {
		return os.MkdirAll(at, 0o755)
	}
	return os.WriteFile(at, nil, 0o755)
}

func bind(from, at string, readOnly bool) error {
	if err := unix.Mount(from, at, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s at %s: %w", from, at, err)
	}
	if !readOnly {
		return nil
	}
	if err := unix.Mount("", at, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("make %s read-only: %w", at, err)
	}
	return nil
}

// become drops all that root has. The order is forced: each step needs what the next one drops.
func (c Container) become() error {
	for capability := range uintptr(unix.CAP_LAST_CAP + 1) {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil && err != unix.EINVAL {
			return fmt.Errorf("drop capability %d: %w", capability, err)
		}
	}
	if err := unix.Setgroups(c.Groups); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := unix.Setresgid(c.Group, c.Group, c.Group); err != nil {
		return fmt.Errorf("set group: %w", err)
	}
	if err := unix.Setresuid(c.User, c.User, c.User); err != nil {
		return fmt.Errorf("set user: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up privileges: %w", err)
	}
	// A change of user takes this off.
	return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
}
