package pg

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// postgresBinary is the path of one of PostgreSQL's programs, of the newest version installed.
func postgresBinary(name string) (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) }), nil
	}
	return program(name, "postgresql")
}

// major is the version in /usr/lib/postgresql/VERSION/bin/NAME.
func major(path string) int {
	version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return version
}

func program(name, debian string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	if beside := filepath.Join("/usr/sbin", name); exists(beside) {
		return beside, nil
	}
	return "", fmt.Errorf("%s is not installed: apt-get install -y --no-install-recommends %s", name, debian)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// account is whom the servers run as: nil when we are not root and they run as ourselves.
func account() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID != nil || errGID != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("find an unprivileged user: neither postgres nor nobody exists")
}

// folder makes a temporary folder that the servers' account owns. Its name is short: a Unix socket in it has
// at most 107 bytes.
func folder(as *syscall.Credential) (string, error) {
	dir, err := os.MkdirTemp("", "wdpg")
	if err != nil || as == nil {
		return dir, err
	}
	return dir, os.Chown(dir, int(as.Uid), int(as.Gid))
}
