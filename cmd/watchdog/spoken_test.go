package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestSpoken(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s":    20 * time.Millisecond,
		"1.2s":  1234 * time.Millisecond,
		"9.9s":  -9900 * time.Millisecond,
		"42s":   41700 * time.Millisecond,
		"6m42s": 402300 * time.Millisecond,
		"2m":    2 * time.Minute,
		"1h53m": time.Hour + 52*time.Minute + 40*time.Second,
		"47h":   47 * time.Hour,
		"3d4h":  76*time.Hour + 10*time.Minute,
	} {
		assert.Equal(t, want, spoken(d), d)
	}
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	assert.Equal(t, "2026-03-14T11:58:00Z (2m ago)", moment(now, now.Add(-2*time.Minute)))
	assert.Equal(t, "2026-03-14T12:00:05Z (in 5s)", moment(now, now.Add(5*time.Second)))
}
