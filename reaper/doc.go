// Package reaper judges the open jobs and recovers those that nobody will finalize.
//
// The verdict is a pure function (decide.go) of the job's row, the claim on it, the policy, the doubts and
// one instant. /queue calls the same function. Around it stand the pass, which reads the jobs that are due
// by age; the fast lane, which reads the jobs whose owners were just proven dead; and the reap, which keeps
// the order that everything rests on:
//
//  1. lock the row, and look whether it is still the version that was judged
//  2. update it, naming that version: no row changed is a lost race, and nothing else happens
//  3. revoke, by compare-and-set on the claim that was judged: whoever marked, came back or was promised a
//     hold since then wins, and the transaction rolls back
//  4. commit
//
// When things fail:
//
//   - Before 3 nothing has happened. The next pass, or for a proven death the next retry, begins anew. So it is when
//     somebody has the row locked, which is not waited for, when the switch was turned since the verdict, and when the
//     watchdog is told to end.
//   - The commit fails, or its outcome is unknown: the owner was told and stays revoked; the reap is
//     pending under its first reason and is tried again until the row is seen to be another version.
//   - The watchdog dies between 3 and 4: the row is as it was; the owner, told or not, resumes or does not,
//     and the job is judged afresh.
//   - The database does not answer: the pass fails and comes again, later each time.
//   - A pass takes long, for what it reads or waits for: who is proven dead meanwhile is recovered meanwhile.
//
// Each race errs towards leaving a job alone: it is judged again in a few seconds, and the backstop ends it.
package reaper
