// Package model checks a model in Promela, ownership.pml and what it includes, of who owns a job and who may act for it:
// two finalizers, a database, and a watchdog that may die between any two of its steps. Spin looks at every state that
// it can come to.
//
//	go test ./tests/model                                    a small world, in seconds
//	WATCHDOG_TEST_ALL=1 go test -v ./tests/model             all of them, and each safeguard taken away: four minutes
//	WATCHDOG_TEST_ALL=1 go test -v -run TestSafeguards/WARMUP ./tests/model
//
// The last prints a run in which the world without that safeguard goes wrong; docs/guarantees.md tells them all in words.
//
// The model says what the packages liveness and reaper do, in their names. Who changes an order there, a condition
// under which something is granted, promised, revoked or reaped, or what the watchdog remembers over its death, changes
// it here too.
package model
