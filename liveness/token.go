package liveness

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// Why an ownership ended other than by a reap, as its owner is told.
const (
	reasonSuperseded = "superseded" // by a newer token of the job
	reasonClosed     = "closed"     // the job is not open under that run
)

func refuse(code protocol.Code, field, message string) protocol.Reply {
	return protocol.Reply{Err: &protocol.Error{Code: code, Field: field, Message: message}}
}

func revoked(reason string) protocol.Reply {
	return protocol.Reply{Err: &protocol.Error{Code: protocol.Revoked}, Reason: reason}
}

// taken names the holder; o is nil when only a hold is left of it.
func taken(o *ownership, at time.Duration) protocol.Reply {
	reply := refuse(protocol.Owned, "", "")
	if o != nil {
		reply.Owner, reply.Since = o.session.name, at-o.markedAt
	}
	return reply
}

// heard notes that an owner which was revoked by a reap spoke again under its token.
func (e *entry) heard(from []revocation, s *Session, token uint64, observer Observer) {
	for i := range from {
		v := &from[i]
		if token != 0 && v.token == token && v.uid == s.peer.UID && v.tier != 0 && !v.spoke {
			v.spoke = true
			observer.FalseReap(v.tier)
		}
	}
}

// find returns the ownership that the session holds under the token, or the refusal.
func (r *Registry) find(s *Session, at time.Duration, job watchdog.JobID, token uint64) (*ownership, protocol.Reply) {
	r.wake(at)
	s.beatAt = max(s.beatAt, at)
	e := r.jobs[job]
	if e == nil {
		return nil, refuse(protocol.NotOwner, "", "nobody owns the job under this token")
	}
	for _, v := range e.reaping {
		if v.token == token {
			e.heard(e.reaping, s, token, r.cfg.Observer)
			return nil, revoked(string(watchdog.ReasonReaping))
		}
	}
	for _, v := range e.revoked {
		if v.token == token {
			e.heard(e.revoked, s, token, r.cfg.Observer)
			return nil, revoked(string(v.reason))
		}
	}
	for _, o := range e.slots {
		if o != nil && o.token == token && o.session == s {
			return o, protocol.Reply{}
		}
	}
	return nil, refuse(protocol.NotOwner, "", "nobody owns the job under this token in this session")
}

// Step notes what the owner is doing, until when it should be done with it, for a person to read. A new
// step ends the stall of the one before.
func (r *Registry) Step(s *Session, at time.Duration, req *protocol.Request) protocol.Reply {
	r.mu.Lock()
	defer r.mu.Unlock()
	o, refusal := r.find(s, at, watchdog.JobID(req.Job), req.Token)
	if o == nil {
		return refusal
	}
	o.step = req.Step
	var until time.Duration
	if req.Budget != 0 {
		until = at + req.Budget
	}
	r.setBudget(o, until)
	return protocol.Reply{}
}

// Clear ends the ownership, and its hold with it. A token that was cleared before is cleared. The hold that
// is returned, if any, is known to the state file and has to end there too.
func (r *Registry) Clear(s *Session, at time.Duration, req *protocol.Request) (protocol.Reply, *Hold) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o, refusal := r.find(s, at, watchdog.JobID(req.Job), req.Token)
	if o == nil {
		if refusal.Err.Code == protocol.NotOwner && req.Token <= r.token && !r.heldElsewhere(req) {
			return protocol.Reply{}, nil
		}
		return refusal, nil
	}
	e := o.entry
	var kept *Hold
	if h := &e.holds[slot(o.role)]; h.token == o.token {
		if at < h.kept {
			kept = &Hold{Job: e.job, Token: o.token, Role: o.role}
		}
		*h = hold{}
	}
	if o.role == watchdog.Finalizer {
		e.cleared = r.letGo(o, at)
	}
	r.end(o, at, "clear")
	return protocol.Reply{}, kept
}

// heldElsewhere reports whether another session owns the job under the request's token.
func (r *Registry) heldElsewhere(req *protocol.Request) bool {
	e := r.jobs[watchdog.JobID(req.Job)]
	if e == nil {
		return false
	}
	for _, o := range e.slots {
		if o != nil && o.token == req.Token {
			return true
		}
	}
	return false
}
