package demo

import "time"

// How long things take. They are an orchestrator's minutes and hours, shortened in proportion, and keep the
// order on which the acts rest:
//
//   - the re-test ends within the grace, so that the finalizer of act 1 has asked before it is reaped
//   - the merge goes on for long after the grace, and ends within the hold
//   - the checks after the merge go on after the hold: the deferral then rests on the owner being alive
//   - the whole ends before the ceiling
const (
	agentTakes  = 200 * time.Millisecond
	retestTakes = 800 * time.Millisecond
	mergeTakes  = 1800 * time.Millisecond
	checksTake  = 900 * time.Millisecond
	lightTakes  = 300 * time.Millisecond // the finalization on any other stage

	lease    = time.Second
	interval = 250 * time.Millisecond
	grace    = 1500 * time.Millisecond
	hold     = 2 * time.Second
	ceiling  = 5 * time.Second

	lookEvery = 5 * time.Millisecond  // the conductor, at what it waits for
	idleFor   = 50 * time.Millisecond // an orchestrator, when nothing is queued
	patience  = 10 * time.Second      // the conductor's, for each thing
	freshFor  = 6 * time.Second       // between two tasks, when the acts are over
)
