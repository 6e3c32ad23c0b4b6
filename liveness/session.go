package liveness

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// Peer is the other end of a connection, as the kernel tells it.
type Peer struct {
	UID   int
	PID   int // 0: in another pid namespace
	Proof watchdog.Proof
	// Tell queues an event for the peer. It is called under the registry's lock and must return at once.
	Tell func(protocol.Event)
}

// Session is one client connection and what hangs on it. Its fields are the registry's.
type Session struct {
	number     uint64 // sessions are numbered in the order in which they connected
	peer       Peer
	name       string
	lease      time.Duration
	beatAt     time.Duration // the last valid request
	connected  bool
	dead       bool
	diedAt     time.Duration
	owned      map[uint64]*ownership // by token
	finalizers int                   // how many of them are finalizers'
	late       int                   // how many of those are past their budget
}

// Connect begins a session.
func (r *Registry) Connect(at time.Duration, peer Peer) *Session {
	s := &Session{peer: peer, lease: r.cfg.Lease, beatAt: at, connected: true}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connected++
	s.number = r.connected
	if s.number == 1 {
		r.firstAt = at
	}
	if len(r.sessions) == 0 {
		r.tickedAt = at
		r.shortest = r.cfg.Lease
	}
	r.sessions[s] = struct{}{}
	return s
}

// Hello names the session and returns its lease.
func (r *Registry) Hello(s *Session, at time.Duration, name string, lease time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.name = name
	s.lease = clampLease(lease, r.cfg.Lease)
	if s.lease < r.shortest {
		r.wake(at)
		r.shortest = s.lease
	}
	s.beatAt = max(s.beatAt, at)
	return s.lease
}

// Touch renews the session's lease: it was heard of.
func (r *Registry) Touch(s *Session, at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.beatAt = max(s.beatAt, at)
}

// Hangup ends the session's connection. Its ownerships stay, until its lease lapses, which starts afresh: a process
// that was stopped past its lease, and goes on, may hang up first and must have the time to connect again.
func (r *Registry) Hangup(s *Session, at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.beatAt = max(s.beatAt, at)
	s.connected = false
	if len(s.owned) == 0 {
		delete(r.sessions, s)
	}
}

// Died records that the kernel reported the exit of the session's process. Whatever the process had sent
// must have been applied before.
func (r *Registry) Died(s *Session, at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.dead {
		return
	}
	s.dead, s.connected, s.diedAt = true, false, at
	delete(r.sessions, s)
	for _, o := range s.owned {
		if o.known {
			r.died = append(r.died, o.entry.job)
		} else {
			r.strange = append(r.strange, o.entry.job)
		}
	}
	if len(s.owned) > 0 {
		r.wakeReaper()
	}
}

func (r *Registry) wakeReaper() {
	select {
	case r.deaths <- struct{}{}:
	default:
	}
}

// Watched reports whether the session's process is still worth watching: its connection stands or it owns
// something, and it has not died.
func (r *Registry) Watched(s *Session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, known := r.sessions[s]
	return known
}

// Unproven records that the death of the session's process will not be learned of.
func (r *Registry) Unproven(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.peer.Proof = watchdog.ProofNone
}

// Idle reports whether the session owns nothing and has let its lease lapse: nothing is lost when its place
// is given to another.
func (r *Registry) Idle(s *Session, at time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(s.owned) == 0 && at >= s.leaseUntil()
}

// Sweep ends what lapsed until the instant and forgets what matters no more.
func (r *Registry) Sweep(at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wake(at)
	r.lapseBudgets(at)
	shortest := r.cfg.Lease
	for s := range r.sessions {
		if !s.connected && at >= s.leaseUntil() {
			for _, o := range s.owned {
				r.lose(o, at)
			}
		}
		if !s.connected && len(s.owned) == 0 {
			delete(r.sessions, s)
			continue
		}
		shortest = min(shortest, s.lease)
	}
	r.shortest = shortest
	for token, h := range r.restored {
		if at >= h.Until {
			delete(r.restored, token)
		}
	}
	r.lapse(at)
}
