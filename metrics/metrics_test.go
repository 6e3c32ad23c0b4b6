package metrics_test

import (
	"os"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/metrics"
)

// What the packages that feed the series ask for.
type (
	livenessObserver interface {
		Marked(result string)
		Checked(result string)
		Released(how, stage string, owned time.Duration)
		FalseReap(tier watchdog.Tier)
	}
	reaperObserver interface {
		Deferred(reason watchdog.Reason)
		Reaped(tier watchdog.Tier, reason watchdog.Reason, recovery time.Duration)
		WouldReap(tier watchdog.Tier, reason watchdog.Reason)
		LostRace(tier watchdog.Tier)
		Failed(phase string)
		PassDone(took time.Duration, ok bool)
	}
)

var (
	_ livenessObserver = (*metrics.Metrics)(nil)
	_ reaperObserver   = (*metrics.Metrics)(nil)
)

// A world is what the snapshot functions tell.
type world struct {
	status watchdog.Status
	owners watchdog.Owners
	now    watchdog.Instant
}

func newMetrics(t *testing.T, w *world) (*metrics.Metrics, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	m := metrics.New(reg, metrics.Options{
		Stages: []string{"deploy-staging", "deploy"},
		Owners: func() watchdog.Owners { return w.owners },
		Status: func() watchdog.Status { return w.status },
		Now:    func() watchdog.Instant { return w.now },
		Build:  metrics.Build{Version: "1.2.3", Commit: "abc", GoVersion: "go1.26"},
	})
	return m, reg
}

// TestSeries holds the names, types and labels against testdata/series.txt, which is what dashboards and alerts
// are built on: a change there is a breaking change. Nothing was counted yet, so all of it is there from
// the first scrape.
func TestSeries(t *testing.T) {
	_, reg := newMetrics(t, &world{})
	families, err := reg.Gather()
	require.NoError(t, err)

	var got []string
	for _, family := range families {
		for _, metric := range family.Metric {
			got = append(got, seriesName(family, metric))
		}
	}
	sort.Strings(got)

	want, err := os.ReadFile("testdata/series.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), strings.Join(got, "\n")+"\n")
}

func seriesName(family *dto.MetricFamily, metric *dto.Metric) string {
	var labels []string
	for _, pair := range metric.Label {
		labels = append(labels, pair.GetName()+"="+pair.GetValue())
	}
	return family.GetName() + "{" + strings.Join(labels, ",") + "} " + strings.ToLower(family.GetType().String())
}

func TestNamesAreLinted(t *testing.T) {
	_, reg := newMetrics(t, &world{})
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestLivenessCounts(t *testing.T) {
	m, reg := newMetrics(t, &world{})
	m.Marked("granted")
	m.Marked("granted")
	m.Marked("a result that no list has")
	m.Checked("not-owner")
	m.Released("died", "deploy-staging", 90*time.Second)
	m.Released("clear", "a stage of a client's own", 2*time.Second)
	m.FalseReap(watchdog.Tier3)

	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP finalizer_marks_total Marks by what came of them.
# TYPE finalizer_marks_total counter
finalizer_marks_total{result="again"} 0
finalizer_marks_total{result="granted"} 2
finalizer_marks_total{result="other"} 1
finalizer_marks_total{result="overloaded"} 0
finalizer_marks_total{result="owned"} 0
finalizer_marks_total{result="refused"} 0
finalizer_marks_total{result="resumed"} 0
finalizer_marks_total{result="revoked"} 0
finalizer_marks_total{result="unavailable"} 0
# HELP finalizer_checks_total Checks by what came of them.
# TYPE finalizer_checks_total counter
finalizer_checks_total{result="not-owner"} 1
finalizer_checks_total{result="ok"} 0
finalizer_checks_total{result="other"} 0
finalizer_checks_total{result="revoked"} 0
finalizer_checks_total{result="unavailable"} 0
`), "finalizer_marks_total", "finalizer_checks_total"))

	require.EqualValues(t, 1, value(t, reg, "finalizer_releases_total", "how", "died"))
	require.EqualValues(t, 1, value(t, reg, "finalizer_releases_total", "how", "clear"))
	require.EqualValues(t, 90, value(t, reg, "finalizer_owned_duration_seconds", "stage", "deploy-staging"))
	require.EqualValues(t, 2, value(t, reg, "finalizer_owned_duration_seconds", "stage", "other"))
	require.EqualValues(t, 1, value(t, reg, "reaper_false_reaps_total", "tier", "3"))
}

func TestReaperCounts(t *testing.T) {
	m, reg := newMetrics(t, &world{})
	m.Deferred(watchdog.ReasonConnected)
	m.Reaped(watchdog.Tier2, watchdog.ReasonOwnerDied, 4*time.Millisecond)
	m.Reaped(watchdog.Tier3, watchdog.ReasonBackstop, -1)
	m.WouldReap(watchdog.Tier1, watchdog.ReasonWorkerDied)
	m.LostRace(watchdog.Tier2)
	m.Failed("commit")
	m.PassDone(time.Second, true)
	m.PassDone(2*time.Second, false)

	require.EqualValues(t, 1, value(t, reg, "finalizer_defers_total", "reason", "connected"))
	require.EqualValues(t, 1, value(t, reg, "reaper_reaped_total", "reason", "owner-died"))
	require.EqualValues(t, 1, value(t, reg, "reaper_reaped_total", "reason", "backstop"))
	require.EqualValues(t, 0, value(t, reg, "reaper_reaped_total", "reason", "worker-died"))
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP reaper_would_reap_total Jobs that a dry run would have reaped, each version of a job once.
# TYPE reaper_would_reap_total counter
reaper_would_reap_total{reason="backstop",tier="3"} 0
reaper_would_reap_total{reason="owner-died",tier="2"} 0
reaper_would_reap_total{reason="unfinalized",tier="2"} 0
reaper_would_reap_total{reason="worker-died",tier="1"} 1
`), "reaper_would_reap_total"))
	require.EqualValues(t, .004, value(t, reg, "reaper_recovery_seconds", "tier", "2"))
	require.Zero(t, find(t, reg, "reaper_recovery_seconds", "tier", "3").Histogram.GetSampleCount(),
		"a recovery that was not observed is no observation")
	require.EqualValues(t, 1, value(t, reg, "reaper_lost_races_total", "tier", "2"))
	require.EqualValues(t, 1, value(t, reg, "reaper_failures_total", "phase", "commit"))
	require.EqualValues(t, 2, value(t, reg, "reaper_passes_total", "", ""))
	require.EqualValues(t, 1, value(t, reg, "reaper_pass_failures_total", "", ""))
	require.EqualValues(t, 3, value(t, reg, "reaper_pass_duration_seconds", "", ""))
}

// TestNoSeriesFromOutside feeds texts and numbers that no list has: not one series more may come of it.
func TestNoSeriesFromOutside(t *testing.T) {
	m, reg := newMetrics(t, &world{status: watchdog.Status{Counts: map[string]int{"paused": 1, "\xff": 2}}})
	before, err := testutil.GatherAndCount(reg)
	require.NoError(t, err)

	m.Marked("1914")
	m.Checked("\xff\xfe")
	m.Released("", "deploy-staging\x00", time.Second)
	m.FalseReap(0)
	m.LostRace(9)
	m.Deferred("job-1914")
	m.Reaped(watchdog.Tier1, watchdog.ReasonBackstop, time.Second)
	m.Reaped(watchdog.Tier1, "", time.Second)
	m.WouldReap(watchdog.Tier3, watchdog.ReasonUnfinalized)
	m.Failed("")

	after, err := testutil.GatherAndCount(reg)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.EqualValues(t, 1, value(t, reg, "reaper_false_reaps_total", "tier", "other"))
	require.EqualValues(t, 1, value(t, reg, "finalizer_defers_total", "reason", "other"))
	require.EqualValues(t, 3, value(t, reg, "reaper_open_jobs", "state", "other"))
	require.EqualValues(t, 0, value(t, reg, "reaper_reaped_total", "reason", "backstop"), "not a pair that exists")
	require.EqualValues(t, 0, value(t, reg, "reaper_would_reap_total", "reason", "unfinalized"))
}
