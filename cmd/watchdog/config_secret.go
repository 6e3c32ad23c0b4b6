package main

import (
	"net/url"
	"strings"
)

// notShown stands for a secret that cannot be shown in part.
const notShown = "(not shown)"

// secretURL is a URL that may hold a password. However it is formatted, only what redact leaves is
// written; string(u) is the whole.
type secretURL string

func (u secretURL) String() string               { return redact(string(u)) }
func (u secretURL) GoString() string             { return redact(string(u)) }
func (u secretURL) MarshalText() ([]byte, error) { return []byte(redact(string(u))), nil }

// shownPart is a part of a setting's value as it may be shown. A value that might be a URL may hold a password,
// also where none belongs, and where that begins and ends in the part cannot be told.
func shownPart(part, value string) string {
	if strings.Contains(value, "://") {
		return notShown
	}
	return part
}

// redact returns what may be shown of a database's URL: the user, host and path, never the password, the
// query or the fragment. A URL that is not well-formed is not shown at all: where its password begins and
// ends cannot be told.
func redact(raw string) string {
	if raw == "" {
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil {
		return notShown
	}
	switch u.Scheme {
	case "sqlite":
		path, _, _ := strings.Cut(raw, "?")
		return path
	case "postgres", "postgresql":
		// An @ past the host is the end of a password that held a slash, a question mark or a hash sign.
		if u.Opaque != "" || strings.Count(raw, "@") > 1 || (u.User == nil && strings.Contains(raw, "@")) {
			return notShown
		}
		shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
		if name := u.User.Username(); name != "" {
			shown.User = url.User(name)
		}
		return shown.String()
	}
	return notShown
}
