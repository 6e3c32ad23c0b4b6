package watchdog_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
)

func TestBeganIsTheFirstKnown(t *testing.T) {
	created, started, run := time.Unix(1, 0), time.Unix(2, 0), time.Unix(3, 0)
	assert.Equal(t, run, watchdog.Job{CreatedAt: created, StartedAt: started, RunStartedAt: run}.Began())
	assert.Equal(t, started, watchdog.Job{CreatedAt: created, StartedAt: started}.Began())
	assert.Equal(t, created, watchdog.Job{CreatedAt: created}.Began())
	assert.True(t, watchdog.Job{}.Began().IsZero())
}

func TestInstantsOfBothClocksMoveTogether(t *testing.T) {
	at := watchdog.Instant{Rows: time.Unix(1000, 0), Boot: 50 * time.Second}
	assert.Equal(t, time.Unix(990, 0), at.At(40*time.Second))
	assert.Equal(t, time.Unix(1005, 0), at.At(55*time.Second))
	later := at.Add(10 * time.Second)
	assert.Equal(t, watchdog.Instant{Rows: time.Unix(1010, 0), Boot: time.Minute}, later)
	assert.Equal(t, at.At(40*time.Second), later.At(40*time.Second))
}

func TestEveryReasonToReapHasATier(t *testing.T) {
	for reason, tier := range watchdog.ReapReasons() {
		assert.Contains(t, []watchdog.Tier{watchdog.Tier1, watchdog.Tier2, watchdog.Tier3}, tier, reason)
		assert.NotContains(t, watchdog.DeferReasons(), reason)
	}
}
