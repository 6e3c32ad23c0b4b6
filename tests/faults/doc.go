// Package faults runs a fleet of finalizers over a real database and does to every party what happens to processes:
// they are killed and stopped, the database crashes, the network between it and the watchdog falls silent, is cut
// in the middle of a commit, the socket's folder is deleted, the disk is full, the clock is set.
//
// Each finalizer is a process. It writes into a ledger what it claims and what it does inside a hold, and reads
// CLOCK_BOOTTIME before and after. From the ledger and the database follows whether the guarantees held: nobody
// acts inside another's hold, no run acts once a newer one was claimed, no finalizer is reaped alive, no job is closed
// twice, and every job is finalized once the faults are over.
//
// The faults come from a seed, which is printed. A longer run, and one that is repeated:
//
//	WATCHDOG_TEST_ALL=1 FAULTS=10000 go test -run TestFaults -timeout 5h -v ./tests/faults
//	FAULTS_SEED=17 FAULTS=200 go test -run TestFaults/postgres -v ./tests/faults
//
// What a seed decides is which fault comes next and for how long; how the processes meet it is the machine's.
package faults
