// Package bench measures what the program promises to be quick at and cheap in, each figure beside its limit or a
// peer in the same run, and writes docs/performance.md.
//
//	make figures
//
// does so: it takes a quarter of an hour, and wants a machine that does nothing else. Where a peer is not to be had it says
// so and goes on. Without FIGURES in the environment every measurement is made once and small, so that the program
// that measures does not rot; nothing is asserted of how long anything takes.
//
// Each figure has a file of its own: roundtrips, alive, recovery, passes, pages, bill. Processes that are measured or
// that load others are the test binary itself, started again in a role.
package bench
