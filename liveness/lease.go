package liveness

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// The least lease that a session may ask for.
const minLease = time.Second

// clampLease is the lease that a session gets: what it asked for, within the least and the setting.
func clampLease(asked, setting time.Duration) time.Duration {
	if asked == 0 {
		return setting
	}
	return min(max(asked, minLease), setting)
}

// beatEvery is how often a session should beat: two beats may get lost.
func beatEvery(lease time.Duration) time.Duration { return lease / 3 }

// stateAt is the state of an ownership at an instant.
func (o *ownership) stateAt(at time.Duration) watchdog.State {
	s := o.session
	switch {
	case s.dead:
		return watchdog.Dead
	case !s.connected && at >= s.leaseUntil():
		return watchdog.Ended
	case !s.connected:
		return watchdog.Reconnecting
	case at >= s.leaseUntil(), o.stepUntil != 0 && at >= o.stepUntil:
		return watchdog.Stalled
	}
	return watchdog.Connected
}

func (s *Session) leaseUntil() time.Duration { return s.beatAt + s.lease }

// wake is called with each instant at which leases will be judged. If more time passed since the last than
// half of the shortest lease, the watchdog itself did not run, and may not have read the beats that were
// sent to it: all leases start afresh. Erring here defers a recovery by one lease; erring the other way
// would take every owner for silent at once.
func (r *Registry) wake(at time.Duration) {
	if at-r.tickedAt > r.shortest/2 {
		for s := range r.sessions {
			s.beatAt = max(s.beatAt, at)
		}
	}
	r.tickedAt = max(r.tickedAt, at)
}

// TickEvery is how often Sweep wants to be called for the watchdog's own silence to be told from its
// clients': a quarter of the shortest lease in use. It is 0 when there is no session and so nothing to judge.
func (r *Registry) TickEvery() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sessions) == 0 {
		return 0
	}
	return r.shortest / 4
}
