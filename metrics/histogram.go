package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The native histogram's buckets grow by a tenth and there are at most so many of them; when they have
// become too many they start afresh, but not more often than once an hour.
const (
	nativeFactor  = 1.1
	nativeBuckets = 160
	nativeReset   = time.Hour
)

// ownedBuckets reach from a second, a light edge, to four hours, twice the default ceiling.
func ownedBuckets() []float64 {
	return []float64{1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400}
}

// recoveryBuckets reach from a millisecond, a proven death, to an hour, a database that was away.
func recoveryBuckets() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600}
}

// passBuckets reach past the default interval and the timeout of several statements.
func passBuckets() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
}

func histogramOpts(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help,
		Buckets:                         buckets,
		NativeHistogramBucketFactor:     nativeFactor,
		NativeHistogramMaxBucketNumber:  nativeBuckets,
		NativeHistogramMinResetDuration: nativeReset,
	}
}

func histograms(factory promauto.Factory, name, help string, buckets []float64,
	label string, values []string) map[string]prometheus.Observer {
	vec := factory.NewHistogramVec(histogramOpts(name, help, buckets), []string{label})
	observers := make(map[string]prometheus.Observer, len(values))
	for _, v := range values {
		observers[v] = vec.WithLabelValues(v)
	}
	return observers
}

func observe(observers map[string]prometheus.Observer, value string, d time.Duration) {
	o, ok := observers[value]
	if !ok {
		o = observers[other]
	}
	o.Observe(d.Seconds())
}
