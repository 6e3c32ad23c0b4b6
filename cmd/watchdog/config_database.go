package main

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"strings"
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
		r.fault(databaseURL, "must be set, or %s: postgres://USER:PASSWORD@HOST/NAME or sqlite:PATH", databaseURLFile)
		return
	}

	source, rule := databaseURL, "must be postgres://USER:PASSWORD@HOST/NAME or sqlite:PATH"
	if r.given[databaseURL] == "" {
		source, rule = databaseURLFile, "must hold a URL: postgres://USER:PASSWORD@HOST/NAME or sqlite:PATH"
	}
	url := string(r.config.DatabaseURL)
	r.require(r.unread[databaseURL] || isPostgresURL(url) || isSQLiteURL(url), source, "%s", rule)

	direct := r.given[directURL]
	r.require(direct == "" || isPostgresURL(direct), directURL, "must be postgres://USER:PASSWORD@HOST/NAME")
}

func isPostgresURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") && u.Opaque == ""
}

func isSQLiteURL(text string) bool {
	path, ok := strings.CutPrefix(text, "sqlite:")
	return ok && strings.TrimLeft(path, "/") != ""
}

// bare is an error of the file system without the path: the path is shown beside it, and may by mistake be
// a secret.
func bare(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
