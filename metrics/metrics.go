package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// Options says what the series are made from. The functions are called on each scrape, from several
// goroutines at once; none may be nil.
type Options struct {
	Stages []string // the stages that have a label of their own; every other counts as "other"
	Owners func() watchdog.Owners
	Status func() watchdog.Status
	Now    func() watchdog.Instant // Rows by the host's clock: it dates what the boot clock measured
	Build  Build
}

// Build names the binary, for watchdog_build_info.
type Build struct {
	Version   string
	Commit    string
	GoVersion string
}

// Metrics counts what happens. Its methods may be called from several goroutines at once and never block.
type Metrics struct {
	marks    byLabel
	checks   byLabel
	releases byLabel
	owned    map[string]prometheus.Observer

	falseReaps byLabel
	defers     byLabel
	reaped     map[watchdog.Reason]prometheus.Counter
	wouldReap  map[watchdog.Reason]prometheus.Counter
	lostRaces  byLabel
	failures   byLabel
	recovery   map[string]prometheus.Observer

	passes       prometheus.Counter
	passFailures prometheus.Counter
	passDuration prometheus.Observer
}

// New makes every series and registers it with reg. It panics when reg has one of the names already: two
// watchdogs on one registry are a mistake in the program.
func New(reg prometheus.Registerer, opts Options) *Metrics {
	reg.MustRegister(newSnapshot(opts))

	factory := promauto.With(reg)
	stages := withOther(opts.Stages)

	return &Metrics{
		marks: counters(factory, "finalizer_marks_total",
			"Marks by what came of them.", "result", markResults()),
		checks: counters(factory, "finalizer_checks_total",
			"Checks by what came of them.", "result", checkResults()),
		releases: counters(factory, "finalizer_releases_total",
			"Ownerships that ended, by how.", "how", releaseHows()),
		owned: histograms(factory, "finalizer_owned_duration_seconds",
			"How long finalizers owned their jobs, from the mark to the end of the ownership.",
			ownedBuckets(), "stage", stages),

		falseReaps: counters(factory, "reaper_false_reaps_total",
			"Revoked owners that spoke again under their old token: the reaper was wrong, or the fence did its work.",
			"tier", withOther(tiers())),
		defers: counters(factory, "finalizer_defers_total",
			"Deferrals, one a job and pass: jobs that by age alone would have been reaped.",
			"reason", deferReasons()),
		reaped: pairs(factory, "reaper_reaped_total",
			"Jobs reaped: committed requeues and failures."),
		wouldReap: pairs(factory, "reaper_would_reap_total",
			"Jobs that a dry run would have reaped, each version of a job once."),
		lostRaces: counters(factory, "reaper_lost_races_total",
			"Reaps given up because the job or its owner had moved on since the verdict.",
			"tier", withOther(tiers())),
		failures: counters(factory, "reaper_failures_total",
			"Failed calls to the database, by what they were for.", "phase", phases()),
		recovery: histograms(factory, "reaper_recovery_seconds",
			"From a finalizer's proven death, or the end of the grace, to the committed reap.",
			recoveryBuckets(), "tier", tiers()),

		passes: factory.NewCounter(prometheus.CounterOpts{
			Name: "reaper_passes_total", Help: "Passes made, failed ones included."}),
		passFailures: factory.NewCounter(prometheus.CounterOpts{
			Name: "reaper_pass_failures_total", Help: "Passes that did not come to their end."}),
		passDuration: factory.NewHistogram(histogramOpts("reaper_pass_duration_seconds",
			"How long a pass took, failed ones included.", passBuckets())),
	}
}

// byLabel has one counter a value of a fixed list, and one under "other" for every value outside it.
type byLabel map[string]prometheus.Counter

func (b byLabel) inc(value string) {
	if c, ok := b[value]; ok {
		c.Inc()
		return
	}
	b[other].Inc()
}

func counters(factory promauto.Factory, name, help, label string, values []string) byLabel {
	vec := factory.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	b := make(byLabel, len(values))
	for _, v := range values {
		b[v] = vec.WithLabelValues(v)
	}
	return b
}

// pairs has one counter a reason to reap; the reason has only one tier.
func pairs(factory promauto.Factory, name, help string) map[watchdog.Reason]prometheus.Counter {
	vec := factory.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"tier", "reason"})
	byReason := make(map[watchdog.Reason]prometheus.Counter)
	for reason, tier := range watchdog.ReapReasons() {
		byReason[reason] = vec.WithLabelValues(tierLabel(tier), string(reason))
	}
	return byReason
}

func withOther(values []string) []string {
	if slices.Contains(values, other) {
		return values
	}
	return append(slices.Clone(values), other)
}
