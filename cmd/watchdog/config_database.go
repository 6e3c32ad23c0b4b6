package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/finalizer-watchdog/watchdog/sql"
)

const (
	databaseURL     = "WATCHDOG_DATABASE_URL"
	databaseURLFile = "WATCHDOG_DATABASE_URL_FILE"
	directURL       = "WATCHDOG_DATABASE_DIRECT_URL"
)

// readURLFile takes the database's URL from the file that holds it, if one is named. The space around it
// is dropped: a file mostly ends with a line break.
func (r *reader) readURLFile() {
	path := r.config.DatabaseURLFile
	if path == "" {
		return
	}
	content, err := os.ReadFile(path)
	if err != nil {
		r.fault(databaseURLFile, "must be a readable file: %v", bare(err))
		r.unread[databaseURL] = true
		return
	}
	if r.config.DatabaseURL == "" {
		r.config.DatabaseURL = secretURL(strings.TrimSpace(string(content)))
	}
}

// checkDatabase requires the database's URL, once, and of a kind that the watchdog can open.
func (r *reader) checkDatabase() {
	switch {
	case r.given[databaseURL] != "" && r.given[databaseURLFile] != "":
		r.fault(databaseURL, "must be unset, or %s: the database's URL has one place", databaseURLFile)
	case r.given[databaseURL] == "" && r.given[databaseURLFile] == "":
		r.fault(databaseURL, "must be set, or %s: postgres://USER:PASSWORD@HOST:PORT/NAME or sqlite:PATH", databaseURLFile)
		return
	}

	source, its := databaseURL, ""
	if r.given[databaseURL] == "" {
		source, its = databaseURLFile, "its URL "
	}
	main := string(r.config.DatabaseURL)
	if err := sql.CheckURL(main); err != nil && !r.unread[databaseURL] {
		r.fault(source, "%s%v", its, err)
	}
	direct := r.given[directURL]
	switch err := sql.CheckURL(direct); {
	case direct == "":
	case isSQLiteURL(direct):
		r.fault(directURL, "must be postgres://USER:PASSWORD@HOST:PORT/NAME")
	case err != nil:
		r.fault(directURL, "%v", err)
	case isSQLiteURL(main):
		r.fault(directURL, "must be unset where the database is a SQLite file, which has no pooler")
	}
}

func isSQLiteURL(text string) bool { return strings.HasPrefix(text, "sqlite:") }

// bare is an error of the file system without the path: the path is shown beside it, and may by mistake be
// a secret.
func bare(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
