// Package metrics holds every series that the watchdog shows to Prometheus.
//
// There are two kinds. What happens is counted when it happens, by the methods of Metrics: the packages
// liveness and reaper declare the interfaces that these methods satisfy. What is, is read when Prometheus
// asks, from the snapshots that Options gives: a scrape never touches the database, takes no lock but those
// of the snapshots, and costs the same for one owner as for 100 000.
//
// Labels come from fixed lists and each of their values is there from the first scrape, at zero, so that
// a rate over a series' first increase is not lost. A value from outside its list (a stage that the
// orchestrator has and the settings do not name, say) counts as "other": no text that a client or a row
// can choose ever makes a series.
package metrics
