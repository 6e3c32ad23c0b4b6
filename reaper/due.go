package reaper

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// dueSince is since when the rule that reaps a job at the instant has held, but for what forbade it; zero where that
// is not known.
func (p *Policy) dueSince(reason watchdog.Reason, f *Facts, at watchdog.Instant) time.Time {
	switch o, w := f.Claim.Owner, f.Claim.Worker; {
	case reason == watchdog.ReasonOwnerDied && o != nil:
		return at.At(o.DiedAt)
	case reason == watchdog.ReasonWorkerDied && w != nil && w.State == watchdog.Dead:
		return at.At(w.DiedAt)
	case reason == watchdog.ReasonUnfinalized:
		return p.graceEnd(f, at)
	case reason == watchdog.ReasonBackstop:
		return p.Backstop(f.Job)
	}
	return time.Time{}
}
