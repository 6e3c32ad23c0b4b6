package sql

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// TestTheNewestRunAfterTheClockWasSetBack: a job that is run again just after that has an older run which began
// later by the clock, and which must not be taken for the one that is finalized.
func TestTheNewestRunAfterTheClockWasSetBack(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.task(t)
		f.job(t, 1914, "'running'", f.at(-time.Hour), f.at(-20*time.Second))
		f.run(t, 2207, 1914, f.at(0), f.at(0))
		f.run(t, 2208, 1914, f.at(-20*time.Second), f.at(-20*time.Second))
		jobs, err := f.store.Jobs(t.Context(), noon, []watchdog.JobID{"1914"})
		require.NoError(t, err)
		require.Len(t, jobs, 1)
		assert.Equal(t, watchdog.RunID("2208"), jobs[0].Run)
	})
}
