// Package prometheus holds deploy/prometheus and deploy/grafana against the real programs: promtool checks and
// tests the rules, Prometheus scrapes a watchdog through the incident and a stall and evaluates every expression of
// every rule and panel, and an alert goes through Alertmanager to a webhook.
//
// scripts/fetch-prometheus.sh puts the programs where the tests look for them. What is shipped is what runs: the
// tests change durations and addresses in it by code, and keep no copy. There is no Grafana here: of the dashboard
// only what it asks of Prometheus is run, and tests/grafana checks its form against Grafana's types.
package prometheus
