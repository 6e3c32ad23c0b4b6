package metrics_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

var marked = time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)

func TestGaugesFollowTheSnapshots(t *testing.T) {
	w := &world{}
	_, reg := newMetrics(t, w)
	require.EqualValues(t, 0, value(t, reg, "finalizer_oldest_mark_timestamp_seconds", "stage", "deploy"), "none owned")
	require.EqualValues(t, 0, value(t, reg, "reaper_last_success_timestamp_seconds", "", ""), "none yet")

	w.now = watchdog.Instant{Rows: marked.Add(time.Minute + 300*time.Microsecond), Boot: 61 * time.Second}
	w.owners = watchdog.Owners{Owned: 3, Stalled: 1, Oldest: map[string]time.Duration{"deploy-staging": time.Second,
		"": 3 * time.Second, "a stage without a label": 2 * time.Second},
		Sessions: map[watchdog.Proof]int{watchdog.ProofPidfd: 5, watchdog.ProofNone: 2}}
	w.status = watchdog.Status{
		LivenessEnabled: true, DatabaseUp: true, LastSuccessAt: marked.Add(500 * time.Millisecond),
		ClockSkew: -1500 * time.Millisecond, Pending: 4, Malformed: 6,
		Counts: map[string]int{"running": 7, "queued": 8, "paused": 1, "lost": 2},
	}

	for name, want := range map[string]float64{
		"finalizer_owned": 3, "finalizer_stalled": 1,
		"reaper_last_success_timestamp_seconds": float64(marked.Unix()) + .5,
		"reaper_pending_reaps":                  4, "reaper_malformed_jobs": 6,
		"reaper_clock_skew_seconds": -1.5,
	} {
		require.InDelta(t, want, value(t, reg, name, "", ""), 1e-6, name)
	}
	for stage, want := range map[string]int64{"deploy-staging": marked.Unix(), "deploy": 0, "other": marked.Unix() + 1} {
		require.EqualValues(t, want, value(t, reg, "finalizer_oldest_mark_timestamp_seconds", "stage", stage), stage)
	}
	for proof, want := range map[string]float64{"pidfd": 5, "pid": 0, "none": 2} {
		require.EqualValues(t, want, value(t, reg, "finalizer_sessions", "proof", proof), proof)
	}
	for state, want := range map[string]float64{"running": 7, "queued": 8, "done": 0, "failed": 0, "other": 3} {
		require.EqualValues(t, want, value(t, reg, "reaper_open_jobs", "state", state), state)
	}
	require.EqualValues(t, 1, value(t, reg, "watchdog_build_info", "version", "1.2.3"))
}

// TestSwitchesAreTold sets one fact at a time, so that no two gauges can have been exchanged.
func TestSwitchesAreTold(t *testing.T) {
	for name, status := range map[string]watchdog.Status{
		"reaper_liveness_enabled": {LivenessEnabled: true},
		"reaper_dry_run":          {DryRun: true},
		"reaper_braking":          {Braking: true},
		"reaper_warming_up":       {WarmingUp: true},
		"reaper_standby":          {Standby: true},
		"reaper_clock_jump":       {ClockJump: true},
		"watchdog_database_up":    {DatabaseUp: true},
	} {
		_, reg := newMetrics(t, &world{status: status})
		for _, gauge := range []string{"reaper_liveness_enabled", "reaper_dry_run", "reaper_braking",
			"reaper_warming_up", "reaper_standby", "reaper_clock_jump", "watchdog_database_up"} {
			want := 0.0
			if gauge == name {
				want = 1
			}
			require.Equal(t, want, value(t, reg, gauge, "", ""), "%s while %s is set", gauge, name)
		}
	}
}

// value is a series' value, or the sum of a histogram's observations.
func value(t *testing.T, reg *prometheus.Registry, name, label, labelValue string) float64 {
	t.Helper()
	m := find(t, reg, name, label, labelValue)
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	}
	return m.Histogram.GetSampleSum()
}

func find(t *testing.T, reg *prometheus.Registry, name, label, labelValue string) *dto.Metric {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, m := range family.Metric {
			if family.GetName() == name && has(m, label, labelValue) {
				return m
			}
		}
	}
	require.FailNow(t, "no such series", "%s{%s=%q}", name, label, labelValue)
	return nil
}

func has(m *dto.Metric, label, value string) bool {
	if label == "" {
		return len(m.Label) == 0
	}
	for _, pair := range m.Label {
		if pair.GetName() == label && pair.GetValue() == value {
			return true
		}
	}
	return false
}
