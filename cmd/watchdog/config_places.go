package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/finalizer-watchdog/watchdog/sql"
	"github.com/finalizer-watchdog/watchdog/web"
)

// maxSocketPath is the longest path that the kernel binds a Unix socket to, in bytes. It answers a longer
// one with a bare "invalid argument".
const maxSocketPath = 107

// checkPlaces requires that the files and folders that the settings name can be used, by this process and
// here.
func (r *reader) checkPlaces() {
	r.checkSocketPath()
	r.checkStatements()
	r.checkWebConfig()
	// The first process of a pid namespace is a container's own: it sees nobody else's processes, and all would be gone.
	alone := os.Getpid() == 1
	r.require(!r.config.ReaperPIDCheck || !alone, "WATCHDOG_REAPER_PID_CHECK", "must be false where the watchdog does not share "+
		"the orchestrator's pid namespace; shareProcessNamespace: true makes a pod's containers share one")
}

// checkStatements requires that the folder's statements keep the contract, where the database's URL tells which that
// is.
func (r *reader) checkStatements() {
	const variable = "WATCHDOG_SQL_DIR"
	cfg := r.config.database(r.config.DatabaseURL)
	switch {
	case cfg.Dir == "":
	case !isFolder(cfg.Dir):
		r.fault(variable, "must be a folder")
	case sql.CheckURL(cfg.URL) == nil && slices.Contains(sql.Sets(), cfg.Set):
		for _, err := range sql.CheckStatements(cfg) {
			r.fault(variable, "must hold statements that keep the contract: %v", err)
		}
	}
}

func (r *reader) checkWebConfig() {
	const variable = "WATCHDOG_WEB_CONFIG_FILE"
	path := r.config.WebConfigFile
	if path == "" {
		return
	}
	if err := readable(path); err != nil {
		r.fault(variable, "must be a readable file: %v", err)
		return
	}
	if err := web.CheckConfigFile(path); err != nil {
		r.fault(variable, "must be what the exporter-toolkit takes: %v", err)
	}
}

func (r *reader) checkSocketPath() {
	const variable = "WATCHDOG_SOCKET"
	path := r.config.Socket
	folder := filepath.Dir(path)
	r.require(!strings.HasPrefix(path, "@"), variable, "must be a file's path; @ begins the name of a socket without one")
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
