// Package liveness knows who owns which job, and whether they live.
//
// # What is kept
//
// The Registry is a map of jobs under one mutex, with no goroutine and no clock: each call is handed its
// instant on CLOCK_BOOTTIME. A job has at most one finalizer and one worker. An ownership hangs on the
// session that marked or last resumed it, and the session carries the lease: a beat renews them all at
// once, whatever their number.
//
// # States
//
//	connected     the connection stands and the lease runs
//	stalled       the connection stands, but the lease lapsed or a step is past its budget
//	reconnecting  the connection ended; until a lease after that nothing is concluded from it
//	dead          the kernel reported the exit of the process that connected
//	ended         cleared, lost, closed or revoked
//
// No state is stored that follows from an instant: see lease.go.
//
// # Invariants
//
//   - Tokens only grow, also over restarts: a block of them is reserved on disk before the first is given.
//   - A job is owned under the newest token of its run; each older one is revoked. Which run that is the database
//     says. A token names one ownership: it is resumed by its user alone, for the job, run and role for which it was
//     given. One of which nothing is known is believed when the watchdog before this one may have given it, and for
//     a grace after the start.
//   - A hold is in memory and on disk before its check is answered, and nobody else is granted the job,
//     nor is it revoked, while it runs.
//   - Revocation is compare-and-set on the claim that was judged, under the same mutex as every mark,
//     beat and check. What was revoked is never given back.
//   - An event stands in a session's outbox before any reply that would reveal the same.
//   - What a peer can make the registry keep is bounded, and no flood of marks pushes out a hold that runs, a
//     reap, or the clear of a job that the database held open: see memory.go.
//
// # When things fail
//
//   - A connection ends: silence, never proof. The lease decides, and when it has lapsed the grace begins anew.
//   - The process exits: what its socket still holds is read and applied, then its owners are dead.
//   - No pidfd can be had, or there are too many of those who hung up: the lease decides alone, and the session is
//     counted as without proof.
//   - The database does not answer: marks and beats go on; a check that has to ask it is unavailable.
//   - The state file cannot be written: a check is unavailable; a mark too, once the reserved tokens end.
//   - The state file was damaged: every job counts as held until the longest hold is over.
//   - The watchdog itself was stopped or starved: every lease starts afresh before any is judged.
//   - The watchdog died: tokens are resumed provisionally, on the stages that their owners tell; holds are read back
//     from the state file. Its last commit may be under way: see unsettled.go.
package liveness
