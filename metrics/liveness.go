package metrics

import (
	"time"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// Marked counts one mark: granted, again (the same token once more), resumed, owned (by another),
// revoked, overloaded, unavailable or refused.
func (m *Metrics) Marked(result string) { m.marks.inc(result) }

// Checked counts one check: ok, revoked, not-owner or unavailable.
func (m *Metrics) Checked(result string) { m.checks.inc(result) }

// Released counts one ownership's end (clear, died, lost, closed or revoked) and how long it lasted, under
// the stage that its client named.
func (m *Metrics) Released(how, stage string, owned time.Duration) {
	m.releases.inc(how)
	observe(m.owned, stage, owned)
}

// FalseReap counts a revoked owner that spoke again under its old token, by the tier of its reap.
func (m *Metrics) FalseReap(tier watchdog.Tier) { m.falseReaps.inc(tierLabel(tier)) }
