package main

import (
	"io"
	"log/slog"
)

// loggers are the two logs, on one writer.
type loggers struct {
	log   *slog.Logger // limited: a record a second for each message
	audit *slog.Logger // one record for each reap, revocation and beginning deferral; none is ever left out
}

// newLoggers returns the logs that c asks for. The audit log knows neither the level nor the limit: it is the
// answer to "who did this to my job".
func newLoggers(w io.Writer, c Config) loggers {
	options := &slog.HandlerOptions{Level: min(c.LogLevel, slog.LevelInfo)}
	var all slog.Handler = slog.NewTextHandler(w, options)
	if c.LogFormat == "json" {
		all = slog.NewJSONHandler(w, options)
	}
	return loggers{
		log:   slog.New(newLimiter(all, c.LogLevel)),
		audit: slog.New(all).With("audit", true),
	}
}
