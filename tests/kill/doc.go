// Package kill measures what a watchdog costs and how soon it recovers: the time from a SIGKILL to the committed
// recovery beside the floor of the same machine, resident memory, and CPU time when idle.
//
// The figures are printed by
//
//	WATCHDOG_TEST_ALL=1 go test -run 'TestRecoveryFigures|TestFootprint' -v ./tests/kill
//
// Without the variable a handful of kills is made, so that the program that measures does not rot.
package kill
