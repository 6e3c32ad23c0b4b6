// Package incident tests the built watchdog as processes against real databases: the eight cases of the original
// reaper, among them the incident of job 1914, and what a watchdog must survive in production.
package incident
