// Package web shows what the watchdog knows over HTTP: /queue for programs, / for people, /metrics for
// Prometheus, /healthz and /readyz for whoever supervises it. docs/http.md tells them to users, and
// queue.schema.json holds the JSON.
//
// It only reads. A request for /queue reads the database through the reaper; all requests for the same
// page within a second share that read and its rendering, so that a wall of screens costs no more than one.
// When the database is away /queue says so with 503 and tells what is known without it. No answer carries a
// fencing token or an ownership's key: with them a reader could speak as the owner.
package web
