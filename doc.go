// Package watchdog holds the words of the finalizer watchdog as types: jobs as their database tells
// them, ownerships as their finalizers tell them, and the verdicts that follow from both.
//
// Data goes one way through the program:
//
//	a line on the socket  becomes an ownership   (protocol, liveness)
//	an ownership and a row become a verdict      (reaper)
//	a verdict             becomes an UPDATE      (reaper, sql)
//	a pass                becomes figures        (metrics, web)
//
// The package imports nothing but the standard library, reads no clock and starts nothing. The packages
// in the middle never import one another: each declares the interface that it needs, in the words of
// this package, and cmd/watchdog alone puts them together.
package watchdog
