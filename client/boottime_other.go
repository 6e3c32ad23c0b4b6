//go:build !linux

package client

import "time"

// bootClock stands in for CLOCK_BOOTTIME where a program is only developed: the watchdog runs on Linux.
func bootClock() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
