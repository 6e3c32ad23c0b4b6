// Package sql reads jobs from an orchestrator's database and hands them back to it: the SQL contract of the
// design, on PostgreSQL and on SQLite.
//
// The statements are files, one a duty, the same names in both dialects (contract.go says what each takes and
// gives). A set of them is embedded for the orchestrator of the design; a folder may override single files, or
// bring all of them for another schema. Nothing else is ever sent but what a connection needs to begin and end.
//
// Instants cross as Unix seconds, never as a driver's idea of a time. A value that is none of its kind does not
// fail a read: its row comes back with Job.Unreadable, and the reaper leaves it alone.
//
// What happens when things fail:
//
//   - The database is away: the call fails, the next one dials anew. Open needs no database.
//   - It is silent (a black hole, a full disk, a frozen host): lib/pq would wait for ever; here every read and
//     write of a connection has a deadline, so that each call ends at Config.Timeout, a half second later at
//     worst, and the connection is thrown away.
//   - A statement waits for a lock: the server ends it at the same timeout, also when we are gone by then.
//   - A commit's answer is lost: Commit fails and its outcome is unknown. The version in every UPDATE makes a
//     second try harmless.
//
// SQLite's file is never created and its journal mode never changed: both are the orchestrator's.
package sql
