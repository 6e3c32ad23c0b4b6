// Package demo plays the incident of job 1914: how it happens, how it does not happen with the watchdog, and how
// dead and stuck finalizers are recovered.
//
// The conductor, which is `watchdog demo`, starts three processes of the same executable in a folder of its own:
// the real `watchdog serve` with short spans, and two orchestrators that share a SQLite database and a tree of
// files into which they merge. It puts jobs into the database, kills and stops orchestrators, and tells what
// it reads: every line of the timeline comes from the database, the tree, /metrics or /queue at that moment, and
// a thing that does not come about within its time is an error, not a line.
//
// Nothing is staged in the orchestrators: they know no acts. What makes a second finalization fail is that it finds
// the tree half merged by the first.
//
// No process outlives the conductor, however it ends: the kernel kills the others at its death.
package demo
