// Package simulation plays the watchdog in worlds that a seed makes up: the product's registry, protocol, server,
// reaper and Go client, over connections and a database of the simulator's, in virtual time.
//
//	go test ./tests/simulation                                      500 seeds
//	WATCHDOG_TEST_ALL=1 go test -timeout 2h ./tests/simulation      100 000, and every mutant
//	go test ./tests/simulation -simulation.first=7 -simulation.seeds=20000
//	scripts/mutate.sh                                               every mutant
//
// # A world
//
// A plan (plan_test.go) follows from the seed: up to seven jobs, each with what its agent and its finalizers do, and
// up to nine faults. Finalizers mark, tell steps, check, act inside their holds, move their task to another stage,
// close the job or leave it, and clear. Rivals finalize the same run. The orchestrator claims queued jobs again, each
// time under a new run.
//
// The faults: the watchdog is killed before or after any one of its effects (a statement, a reply) and started again
// over the state file that it left, which may end in half a line or be unreadable; it is stopped for a while. A
// process dies, with or without a proof of it, with or without a child that keeps its connection open; it is stopped;
// its connections end. The database fails, is slow, or hangs; a commit is refused, is made and not confirmed, or is
// made after it was given up. The clock of the rows is set, the machine suspended, the kill switch turned. An
// operator locks a row, or runs a job again by hand. A liar speaks the protocol itself, as another user or as the
// finalizers': under others' tokens, old ones and such as were never given, for wrong runs and roles, in halves of
// lines, without ever reading.
//
// Statements and messages take their time, now and then enough for anything to come between. How long follows from
// the seed too, so that two things seldom happen at one instant, and a seed mostly goes the same way again. It need
// not: the pauses before another try and the order of goroutines are the product's and Go's own. A replay plays a
// seed until it fails, 20 times at most.
//
// # The witness
//
// It sees what the watchdog's neighbours could see: what goes over the wires and when, each version of each row, who
// lives, what a finalizer does and believes. From that alone it judges whether the guarantees are kept, whenever
// something happens: the names of the invariants stand in its calls of blame (witness_test.go, promise_test.go,
// reap_test.go, overdue_test.go, ledger_test.go, drain_test.go). In the end all faults are over; every job must come to its end, and
// nothing be left in the registry.
//
// Where the witness cannot know what the watchdog must know, it lets it pass: a reply that nobody read, a
// verdict about the time when the switch was turned, a liar's own ownership. What that hides other suites have to
// see; how much it hides the mutants show.
//
// # A seed that fails
//
// The test leaves out what it can while the same invariant breaks, and prints the rest, what happened, and the
// command that plays it again.
//
// # Mutants
//
// mutants/*.patch are ways to break the product, each of which some test has to notice: scripts/mutate.sh makes them, and says by which seed
// and invariant it was noticed. A patch that does not apply any more fails it.
//
// # What it has found
//
// Each of these was in the product when the simulator first ran. The patch of that name puts it back.
//
//	scripts/mutate.sh resume-for-any-job
//		A token was resumed for any job and role. One peer could so own every job under one token, past the limit
//		of its session, and what it left behind was never let go of.
//	scripts/mutate.sh let-anybody-resume-a-hold
//		After a restart a stranger who knew a holder's token could resume it, and clear the hold under which the
//		holder was still acting, or keep the holder from coming back.
//	scripts/mutate.sh let-stale-marks-take-back
//		A watchdog that was stopped read the connection that its client had given up after the one that lives: a
//		mark that lay there unread took the ownership away from the living one, and a live finalizer was reaped.
//	scripts/mutate.sh end-stalled-with-the-connection
//		A process that was stopped past its lease, and whose client hung up when it went on, was taken for lost in
//		that instant, and its job was reaped before it could connect again.
//	scripts/mutate.sh confirm-by-older-rows
//		The first check under a resumed token did not ask the database, but rested on what it had said about the
//		resumption, however long ago.
//	scripts/mutate.sh forget-dead-workers
//		A worker whose process ended without a clear, as agents do, was owned for ever.
//	scripts/mutate.sh leave-a-dead-worker
//		A worker that died while its job's finalizer lived was not looked at again when that one cleared.
//	scripts/mutate.sh believe-any-token
//		After a restart a token that was never given superseded a live owner, inside its hold and across users.
package simulation
