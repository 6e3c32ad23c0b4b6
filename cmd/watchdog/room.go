package main

import (
	"math"
	"runtime/debug"
	"syscall"

	"github.com/finalizer-watchdog/watchdog/liveness"
)

// What peers can make the watchdog hold, whatever memory there is. An orchestrator reaches a hundredth of it.
const (
	maxConnections   = 4096
	maxOwnerships    = 1 << 18
	descriptorsSpare = 256 // for the database, the scrapes and the rest
)

// What one of each takes in bytes when a peer makes it as large as it can; liveness/bounds_test.go measures it.
const (
	// ownershipBytes is 2.5 kB for itself, 0.3 for its place among the jobs that the database is to be asked about,
	// and twice a quarter of the 4 that are remembered of a job when nobody owns it any more.
	ownershipBytes = 5 << 10
	// connectionBytes is a long line half read, replies that are not read and two stacks. An idle one takes 5 kB.
	connectionBytes = 48 << 10
	baseBytes       = 24 << 20 // without any peer
)

// room is what peers may make the watchdog hold within the memory, in bytes, that GOMEMLIMIT grants the process, and
// how many of them may be connected: three quarters of what is free are for ownerships.
func room(memory int64) (liveness.Limits, int) {
	free := max(memory-baseBytes, baseBytes/2)
	total := int(min(maxOwnerships, free/4*3/ownershipBytes))
	return liveness.Limits{PerSession: total / 2, Total: total, Remembered: total / 4},
		int(min(maxConnections, free/4/connectionBytes))
}

// memoryLimit is what GOMEMLIMIT says, or as much as there may be.
func memoryLimit() int64 { return debug.SetMemoryLimit(-1) }

// descriptors is how many connections the limit of open files allows: each takes two, and others need some too.
func descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 2*descriptorsSpare {
		return maxConnections / 16
	}
	return int(min(math.MaxInt32, (limit.Cur-descriptorsSpare)/2))
}
