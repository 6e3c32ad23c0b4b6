package main

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxSocketPath is the longest path that the kernel binds a Unix socket to, in bytes. It answers a longer
// one with a bare "invalid argument".
const maxSocketPath = 107

// checkPlaces requires that the files and folders that the settings name can be used, by this process and
// here.
func (r *reader) checkPlaces() {
	c := r.config
	r.checkSocketPath()
	if c.SQLDir != "" {
		r.require(isFolder(c.SQLDir), "WATCHDOG_SQL_DIR", "must be a folder")
	}
	if c.WebConfigFile != "" {
		err := readable(c.WebConfigFile)
		r.require(err == nil, "WATCHDOG_WEB_CONFIG_FILE", "must be a readable file: %v", err)
	}
}

func (r *reader) checkSocketPath() {
	const variable = "WATCHDOG_SOCKET"
	path := r.config.Socket
	folder := filepath.Dir(path)
	r.require(len(path) <= maxSocketPath, variable, "must have at most %d bytes; it has %d", maxSocketPath, len(path))
	r.require(!isFolder(path), variable, "must be a file's path; it is a folder")
	if !isFolder(folder) {
		r.fault(variable, "must be in a folder that exists; %s does not", shownPart(folder, path))
		return
	}
	err := unix.Access(folder, unix.W_OK|unix.X_OK)
	r.require(err == nil, variable, "must be in a folder that this user may write to; %s: %v", shownPart(folder, path), err)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// readable returns why the file at path cannot be read, nil if it can.
func readable(path string) error {
	if isFolder(path) {
		return unix.EISDIR
	}
	f, err := os.Open(path)
	if err != nil {
		return bare(err)
	}
	return f.Close()
}
