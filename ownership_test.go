package watchdog_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
)

func TestStateAtLaterInstants(t *testing.T) {
	for name, c := range map[string]struct {
		owner watchdog.Owner
		at    time.Duration
		want  watchdog.State
	}{
		"connected goes on":             {watchdog.Owner{State: watchdog.Connected, LeaseUntil: 5}, 100, watchdog.Connected},
		"connected within its budget":   {watchdog.Owner{State: watchdog.Connected, StepUntil: 10}, 9, watchdog.Connected},
		"connected past its budget":     {watchdog.Owner{State: watchdog.Connected, StepUntil: 10}, 10, watchdog.Stalled},
		"reconnecting within its lease": {watchdog.Owner{State: watchdog.Reconnecting, LeaseUntil: 10}, 9, watchdog.Reconnecting},
		"reconnecting past its lease":   {watchdog.Owner{State: watchdog.Reconnecting, LeaseUntil: 10}, 10, watchdog.Ended},
		"stalled stays":                 {watchdog.Owner{State: watchdog.Stalled}, 100, watchdog.Stalled},
		"dead stays":                    {watchdog.Owner{State: watchdog.Dead, LeaseUntil: 10}, 100, watchdog.Dead},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, c.owner.StateAt(c.at)) })
	}
}

func TestSameTellsWhatAVerdictRestsOn(t *testing.T) {
	judged := func() watchdog.Claim {
		return watchdog.Claim{Owner: &watchdog.Owner{Token: 7, State: watchdog.Stalled, BeatAt: 3},
			Worker: &watchdog.Owner{Token: 6, State: watchdog.Connected}, HoldUntil: 9, ClearedAt: 2}
	}
	assert.True(t, judged().Same(judged()))
	assert.True(t, watchdog.Claim{}.Same(watchdog.Claim{}))
	for name, change := range map[string]func(*watchdog.Claim){
		"a mark":          func(c *watchdog.Claim) { c.Owner.Token = 8 },
		"an end":          func(c *watchdog.Claim) { c.Owner = nil },
		"a revival":       func(c *watchdog.Claim) { c.Owner.State = watchdog.Connected },
		"a worker's mark": func(c *watchdog.Claim) { c.Worker.Token = 8 },
		"a worker's end":  func(c *watchdog.Claim) { c.Worker = nil },
		"a hold":          func(c *watchdog.Claim) { c.HoldUntil = 10 },
		"a clear":         func(c *watchdog.Claim) { c.ClearedAt = 3 },
		"a reap":          func(c *watchdog.Claim) { c.Reaping = true },
	} {
		t.Run(name, func(t *testing.T) {
			c := judged()
			change(&c)
			assert.False(t, judged().Same(c))
			assert.False(t, c.Same(judged()))
		})
	}
	beat := judged()
	beat.Owner.BeatAt = 4
	assert.True(t, judged().Same(beat), "a beat that changes no state must not keep the backstop away")
}
