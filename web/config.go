package web

import (
	"context"
	"net/http"
	"time"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// Source reads and judges the open jobs; the reaper does. Both methods may be called from several
// goroutines at once and return soon after ctx has ended.
type Source interface {
	// Page gives at most limit open jobs, those whose ids come after the given one; an empty id is before all.
	Page(ctx context.Context, after watchdog.JobID, limit int) (watchdog.Queue, error)
	// Job gives one job, open or not; watchdog.ErrNoJob when the database has none of that id.
	Job(ctx context.Context, id watchdog.JobID) (watchdog.Queue, error)
}

// Config is what the pages show. No field may be empty but Settings and Version.
type Config struct {
	Source  Source
	Status  func() watchdog.Status // never waits for the database
	Owners  func() watchdog.Owners
	Ready   func() error // nil while the socket is served
	Metrics http.Handler // answers /metrics

	Settings map[string]string // shown to every reader as it is: no secret may be among them
	Version  string
	Timeout  time.Duration // how long one read of the database may take
}
