package client

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestWhoDoesNotWaitTellsNothingOfTheWatchdog is about a caller who does not wait for a silent watchdog, which is heard of
// at that moment.
func TestWhoDoesNotWaitTellsNothingOfTheWatchdog(t *testing.T) {
	for limit, silent := range map[time.Duration]bool{0: false, time.Nanosecond: true} {
		c := &Client{session: new(session)}
		assert.False(t, c.await(t.Context(), limit, make(chan struct{})))
		assert.Equal(t, silent, c.session.silent, "it waited %v", limit)
	}
}
