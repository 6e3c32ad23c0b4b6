package reaper

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// dueSince is since when the rule that reaps a job at the instant has held, but for what forbade it; zero where that
// is not known.
func (p *Policy) dueSince(reason watchdog.Reason, f *Facts, at watchdog.Instant) time.Time {
	switch {
	case reason == watchdog.ReasonOwnerDied:
		return at.At(f.Claim.Owner.DiedAt)
	case reason == watchdog.ReasonWorkerDied && f.workerDied(at):
		return at.At(f.Claim.Worker.DiedAt)
	case reason == watchdog.ReasonUnfinalized:
		return p.graceEnd(f, at)
	case reason == watchdog.ReasonBackstop:
		return p.Backstop(f.Job)
	}
	return time.Time{}
}
