package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// snapshot is the collector of what is, rather than of what happened. It keeps nothing between scrapes.
type snapshot struct {
	opts     Options
	gauges   []gauge
	sessions *prometheus.Desc
	jobs     *prometheus.Desc
	oldest   *prometheus.Desc
	build    *prometheus.Desc
}

// A gauge is one series without labels, and how to read it.
type gauge struct {
	desc *prometheus.Desc
	read func(watchdog.Status, watchdog.Owners) float64
}

func newSnapshot(opts Options) *snapshot {
	return &snapshot{
		opts:   opts,
		gauges: append(ownerGauges(), statusGauges()...),
		sessions: prometheus.NewDesc("finalizer_sessions",
			"Sessions by the proof that their process's death would have.", []string{"proof"}, nil),
		jobs: prometheus.NewDesc("reaper_open_jobs",
			"Jobs by status, as last read.", []string{"state"}, nil),
		oldest: prometheus.NewDesc("finalizer_oldest_mark_timestamp_seconds",
			"When the oldest owned job of a stage was marked; 0: none is owned.", []string{"stage"}, nil),
		build: prometheus.NewDesc("watchdog_build_info",
			"Always 1; its labels name the binary.", []string{"version", "commit", "goversion"}, nil),
	}
}

func ownerGauges() []gauge {
	return []gauge{
		newGauge("finalizer_owned", "Jobs that a finalizer owns.",
			func(_ watchdog.Status, o watchdog.Owners) float64 { return float64(o.Owned) }),
		newGauge("finalizer_stalled", "Owned jobs whose finalizer is silent or past its step's budget.",
			func(_ watchdog.Status, o watchdog.Owners) float64 { return float64(o.Stalled) }),
	}
}

func statusGauges() []gauge {
	return []gauge{
		newGauge("reaper_last_success_timestamp_seconds", "When the last pass that succeeded was made; 0: none.",
			func(s watchdog.Status, _ watchdog.Owners) float64 { return timestamp(s.LastSuccessAt) }),
		newGauge("reaper_pending_reaps", "Reaps whose outcome is not known, or that wait for another try.",
			func(s watchdog.Status, _ watchdog.Owners) float64 { return float64(s.Pending) }),
		newGauge("reaper_malformed_jobs", "Jobs of the last pass whose facts contradict each other.",
			func(s watchdog.Status, _ watchdog.Owners) float64 { return float64(s.Malformed) }),
		newGauge("reaper_liveness_enabled", "The kill switch: 1 while ownership holds the reaper off.",
			func(s watchdog.Status, _ watchdog.Owners) float64 { return boolean(s.LivenessEnabled) }),
		newGauge("reaper_dry_run", "1 while the reaper only judges.",
			func(s watchdog.Status, _ watchdog.Owners) float64 { return boolean(s.DryRun) }),
		newGauge("reaper_braking", "1 while too many jobs at once would be reaped without proof.",
			func(s watchdog.Status, _ watchdog.Owners) float64 { return boolean(s.Braking) }),
		newGauge("reaper_warming_up", "1 while owners may still be reconnecting after the watchdog's start.",
			func(s watchdog.Status, _ watchdog.Owners) float64 { return boolean(s.WarmingUp) }),
		newGauge("reaper_standby", "1 while another watchdog has the database, so that no age rule acts here.",
			func(s watchdog.Status, _ watchdog.Owners) float64 { return boolean(s.Standby) }),
		newGauge("reaper_clock_jump", "1 while the clock of the rows is not believed, because it jumped.",
			func(s watchdog.Status, _ watchdog.Owners) float64 { return boolean(s.ClockJump) }),
		newGauge("reaper_clock_skew_seconds", "The database's clock less the host's.",
			func(s watchdog.Status, _ watchdog.Owners) float64 { return s.ClockSkew.Seconds() }),
		newGauge("watchdog_database_up", "1 while the database answers.",
			func(s watchdog.Status, _ watchdog.Owners) float64 { return boolean(s.DatabaseUp) }),
	}
}

func newGauge(name, help string, read func(watchdog.Status, watchdog.Owners) float64) gauge {
	return gauge{desc: prometheus.NewDesc(name, help, nil, nil), read: read}
}

// Describe implements prometheus.Collector.
func (s *snapshot) Describe(descs chan<- *prometheus.Desc) {
	for _, g := range s.gauges {
		descs <- g.desc
	}
	descs <- s.sessions
	descs <- s.jobs
	descs <- s.oldest
	descs <- s.build
}

// Collect implements prometheus.Collector.
func (s *snapshot) Collect(out chan<- prometheus.Metric) {
	status, owners := s.opts.Status(), s.opts.Owners()
	set := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}

	for _, g := range s.gauges {
		set(g.desc, g.read(status, owners))
	}
	for _, proof := range proofs() {
		set(s.sessions, float64(owners.Sessions[proof]), string(proof))
	}
	for state, count := range byState(status.Counts) {
		set(s.jobs, float64(count), state)
	}
	for stage, marked := range oldestMarks(s.opts, owners.Oldest) {
		set(s.oldest, marked, stage)
	}
	set(s.build, 1, s.opts.Build.Version, s.opts.Build.Commit, s.opts.Build.GoVersion)
}

// oldestMarks gives each stage that has a label, and "other", the instant of its oldest mark; 0 where there is
// none.
func oldestMarks(opts Options, oldest map[string]time.Duration) map[string]float64 {
	first := make(map[string]time.Duration)
	for _, stage := range withOther(opts.Stages) {
		first[stage] = 0
	}
	for stage, at := range oldest {
		if _, ok := first[stage]; !ok {
			stage = other
		}
		if first[stage] == 0 || at < first[stage] {
			first[stage] = at
		}
	}
	now := opts.Now()
	marks := make(map[string]float64, len(first))
	for stage, at := range first {
		marks[stage] = 0
		if at != 0 {
			// The two clocks are not read at one moment: what is below a millisecond is noise.
			marks[stage] = timestamp(now.At(at).Round(time.Millisecond))
		}
	}
	return marks
}

// byState gives each known status its count, and "other" the sum of the rest.
func byState(counts map[string]int) map[string]int {
	known := make(map[string]int)
	for _, status := range statuses() {
		known[status] = 0
	}
	for status, count := range counts {
		if _, ok := known[status]; !ok {
			status = other
		}
		known[status] += count
	}
	return known
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// timestamp gives Unix seconds; 0 for an instant that is not known.
func timestamp(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}
