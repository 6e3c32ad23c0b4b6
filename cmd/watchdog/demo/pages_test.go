package demo

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const exposition = `# HELP finalizer_defers_total Deferrals.
# TYPE finalizer_defers_total counter
finalizer_defers_total{reason="connected"} 3
finalizer_defers_total{reason="held"} 2
finalizer_defers_total_more 100
reaper_reaped_total{reason="unfinalized",tier="2"} 1
reaper_reaped_total{reason="owner-died",tier="2"} 4
reaper_liveness_enabled 1
reaper_recovery_seconds_sum{tier="2"} nonsense
`

func TestSumOf(t *testing.T) {
	for _, test := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"finalizer_defers_total", nil, 5},
		{"finalizer_defers_total", []string{`reason="held"`}, 2},
		{"reaper_reaped_total", []string{`tier="2"`, `reason="owner-died"`}, 4},
		{"reaper_liveness_enabled", nil, 1},
	} {
		sum, err := sumOf([]byte(exposition), test.name, test.labels)
		require.NoError(t, err)
		assert.InDelta(t, test.want, sum, 0, "%s %v", test.name, test.labels)
	}
	for name, labels := range map[string][]string{
		"finalizer_defers":            nil,
		"reaper_reaped_total":         {`tier="3"`},
		"reaper_recovery_seconds_sum": nil,
	} {
		_, err := sumOf([]byte(exposition), name, labels)
		assert.Error(t, err, name)
	}
}
