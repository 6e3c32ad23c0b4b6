package sql

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os/user"
	"strings"
	"time"

	"github.com/lib/pq"
)

// Config says which database to read and how. No error of this package ever shows the URL's password.
type Config struct {
	// URL is postgres://USER:PASSWORD@HOST:PORT/NAME?PARAMETERS or sqlite:PATH.
	URL string
	// Timeout bounds every call; 0: 5 s.
	Timeout time.Duration
	// Set names the embedded set of statements; empty: orchestrator.
	Set string
	// Dir is a folder whose statements override the set's; empty: none.
	Dir string
}

const (
	defaultTimeout = 5 * time.Second
	defaultSet     = "orchestrator"
)

// dialect names a family of databases, and the folder of its statements.
type dialect string

const (
	postgres dialect = "postgres"
	sqlite   dialect = "sqlite"
)

// source is a Config that was understood.
type source struct {
	dialect dialect
	server  pq.Config // of postgres
	path    string    // of sqlite
	timeout time.Duration
	hide    *strings.Replacer // what no error may show; nil: nothing
	steady  bool              // one plan of each statement fits all values
}

// errURL says nothing of what is wrong with it: whatever net/url would quote may be the password's end.
var errURL = errors.New("must be postgres://USER:PASSWORD@HOST:PORT/NAME, with special characters percent-encoded " +
	"(%40 for @), or sqlite:PATH")

// errUser is about an URL, read where the system does not know who the watchdog's own user is.
var errUser = errors.New("must name the user, as in postgres://USER:PASSWORD@HOST:PORT/NAME: the system knows no name " +
	"for the user id that this runs under")

// CheckURL says, as a rule that it breaks, what is wrong with a database's URL. It connects to nothing.
func CheckURL(text string) error {
	_, err := understand(Config{URL: text})
	return err
}

func parse(cfg Config) (source, error) {
	src, err := understand(cfg)
	if err != nil {
		return source{}, fmt.Errorf("parse database url: it %w", err)
	}
	return src, nil
}

func understand(cfg Config) (source, error) {
	src := source{timeout: cmp.Or(cfg.Timeout, defaultTimeout)}
	switch scheme, rest, _ := strings.Cut(cfg.URL, ":"); scheme {
	case "sqlite":
		src.dialect = sqlite
		src.path = sqlitePath(rest)
		if strings.Trim(src.path, "/") == "" {
			return source{}, errURL
		}
		return src, nil
	case "postgres", "postgresql":
		src.dialect = postgres
		return src, src.parsePostgres(cfg.URL)
	}
	return source{}, errURL
}

// sqlitePath takes what follows the scheme: PATH as it stands, or ///ABSOLUTE as URLs have it.
func sqlitePath(rest string) string {
	if path, ok := strings.CutPrefix(rest, "//"); ok && strings.HasPrefix(path, "/") {
		return path
	}
	return rest
}

// unusable tells what lib/pq holds against an URL's parameters. Who the system takes us for is asked where it names no user.
func (s *source) unusable(err error, current func() (*user.User, error)) error {
	if s.server.User == "" {
		if _, unknown := current(); unknown != nil { // an image has no list of users
			return errUser
		}
	}
	return fmt.Errorf("must have parameters that can be used: %s", s.masked(strings.TrimPrefix(err.Error(), "pq: ")))
}

func (s *source) parsePostgres(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || !plainURL(u) {
		return errURL
	}
	s.server, err = pq.NewConfig(raw)
	s.hide = secrets(u, s.server.Password)
	switch {
	case err != nil && u.User == nil && strings.Contains(raw, "@"): // it may quote what is meant as a password
		return errURL
	case err != nil:
		return s.unusable(err, user.Current)
	}
	// lib/pq's default is about to change. This is libpq's: the URL means here what it means to the orchestrator.
	s.server.SSLMode = cmp.Or(s.server.SSLMode, pq.SSLModePrefer)
	// A prepared statement would outlive its transaction, and a pooler would hand it to somebody else.
	s.server.BinaryParameters = true
	s.server.ApplicationName = cmp.Or(s.server.ApplicationName, "finalizer-watchdog")
	s.server.ConnectTimeout = min(s.timeout, cmp.Or(s.server.ConnectTimeout, s.timeout))
	if s.server.Runtime == nil {
		s.server.Runtime = map[string]string{}
	}
	s.server.Runtime["timezone"] = "UTC"
	return nil
}
