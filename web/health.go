package web

import (
	"fmt"
	"io"
	"net/http"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// healthz says that the process answers.
func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}

// readyz asks for the socket only. A sidecar's readiness is its pod's: a database that is away, or another
// watchdog that has it, must not take the orchestrator out of service, and is only told.
func readyz(c Config) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := c.Ready(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprintf(w, "not ready\nsocket: %v\n%s", err, standing(c.Status()))
			return
		}
		_, _ = fmt.Fprintf(w, "ready\nsocket: serving\n%s", standing(c.Status()))
	}
}

func standing(s watchdog.Status) string {
	database, standby := "up", "no"
	switch {
	case !s.DatabaseUp:
		database, standby = "away", "not known while the database is away"
	case s.Standby:
		standby = "yes: " + s.StandbyReason
	}
	return fmt.Sprintf("database: %s\nstandby: %s\n", database, standby)
}
