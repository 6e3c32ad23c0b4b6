package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog/liveness"
)

func TestRoom(t *testing.T) {
	limits, connections := room(math.MaxInt64)
	assert.Equal(t, liveness.Limits{PerSession: 131_072, Total: 262_144, Remembered: 65_536}, limits)
	assert.Equal(t, 4096, connections)

	// Of the container of deploy/kubernetes.
	limits, connections = room(96 << 20)
	assert.Equal(t, liveness.Limits{PerSession: 5529, Total: 11_059, Remembered: 2764}, limits)
	assert.Equal(t, 384, connections)

	limits, connections = room(1)
	assert.Positive(t, limits.Remembered)
	assert.Positive(t, connections)
}
