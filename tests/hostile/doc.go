// Package hostile lets peers do their worst to a watchdog, each in a process of its own, while a hundred honest
// finalizers beat and check: nobody honest is refused or loses a job, and memory stays within what
// docs/operations.md says that peers can make the watchdog hold.
//
// How much slower the honest are answered, and how much longer a pass takes, is printed as a ratio to the same run
// without the hostile peer:
//
//	WATCHDOG_TEST_ALL=1 go test -run TestHostilePeers -v ./tests/hostile
//
// Without the variable each peer is at it for a moment only.
package hostile
