// Package hostile lets peers do their worst to a watchdog, each in a process of its own, while a hundred honest
// finalizers beat and check: nobody honest is refused or loses a job, and memory stays within what
// docs/operations.md says that peers can make the watchdog hold.
//
// How much slower the honest are answered, and how much longer a pass takes, is printed as a ratio to the same run
// without the hostile peer:
//
//	WATCHDOG_TEST_ALL=1 go test -run TestHostilePeers -v ./tests/hostile
//
// One peer never connects and only computes: it takes a core of the machine, and tells how much of a ratio is the
// machine's. Where there are two cores that is most of it.
//
// Without the variable each peer is at it for a moment only.
package hostile
