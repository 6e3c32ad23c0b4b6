// Package simulation plays the watchdog in worlds that a seed makes up.
package simulation
