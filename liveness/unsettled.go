package liveness

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// A watchdog may die while its commit is on the way to the database. Until that has taken place a read still finds the
// job open under its run, and a hold that rests on the read would be promised into a reap. So the first check under a
// token that was resumed, or given soon after the start, also needs to have found the job's row unlocked; whoever has
// it locked, or cannot be asked, makes the check unavailable.

// commitsArriveIn is more than the network keeps trying to deliver what a dead watchdog has sent: see
// boundUnacknowledged in package sql.
const commitsArriveIn = time.Minute

// young reports whether a commit of the watchdog before may still be on its way.
func (r *Registry) young(at time.Duration) bool { return at < r.firstAt+commitsArriveIn }

// Unsettled returns those of the jobs whose owner waits for its first check and has not been settled.
func (r *Registry) Unsettled(jobs []watchdog.JobID) []watchdog.JobID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var unsettled []watchdog.JobID
	for _, id := range jobs {
		for _, o := range r.owners(id) {
			if o.unsettled && o.askedAt != 0 {
				unsettled = append(unsettled, id)
				break
			}
		}
	}
	return unsettled
}

// Settled records that no transaction had the rows of the jobs locked. What a watchdog before this one began has ended
// then, and rows that are read from now on tell how.
func (r *Registry) Settled(jobs []watchdog.JobID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range jobs {
		for _, o := range r.owners(id) {
			o.unsettled = false
		}
	}
}
