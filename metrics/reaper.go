package metrics

import (
	"time"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// Deferred counts one job that one pass deferred.
func (m *Metrics) Deferred(reason watchdog.Reason) { m.defers.inc(string(reason)) }

// Reaped counts one committed reap and, unless recovery is negative (when it began was not seen), how long
// the job waited for it. A pair of tier and reason that no reap can have is not counted.
func (m *Metrics) Reaped(tier watchdog.Tier, reason watchdog.Reason, recovery time.Duration) {
	if !reapable(tier, reason) {
		return
	}
	m.reaped[reason].Inc()
	if recovery >= 0 {
		observe(m.recovery, tierLabel(tier), recovery)
	}
}

// WouldReap counts one job that a dry run left alone. A pair of tier and reason that no reap can
// have is not counted.
func (m *Metrics) WouldReap(tier watchdog.Tier, reason watchdog.Reason) {
	if reapable(tier, reason) {
		m.wouldReap[reason].Inc()
	}
}

// LostRace counts one reap that found its job or owner changed since the verdict.
func (m *Metrics) LostRace(tier watchdog.Tier) { m.lostRaces.inc(tierLabel(tier)) }

// Failed counts one failed call to the database: read, counts, clock, begin, lock, update or commit.
func (m *Metrics) Failed(phase string) { m.failures.inc(phase) }

// PassDone counts one pass, how long it took and whether it came to its end.
func (m *Metrics) PassDone(took time.Duration, ok bool) {
	m.passes.Inc()
	m.passDuration.Observe(took.Seconds())
	if !ok {
		m.passFailures.Inc()
	}
}

func reapable(tier watchdog.Tier, reason watchdog.Reason) bool {
	known, ok := watchdog.ReapReasons()[reason]
	return ok && known == tier
}
