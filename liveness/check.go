package liveness

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// Promise is what a positive check needs before it may be answered.
type Promise struct {
	Job   watchdog.JobID
	Token uint64
	Role  watchdog.Role
	UID   int
	Until time.Duration // the end of the hold that is about to be promised
	Ask   bool          // the database has to confirm the ownership first; then check again
	Keep  bool          // the state file has to know the hold first; then call Kept
}

// Check promises not to reap the owner for the hold, counted from the instant. The hold is in force when
// Check returns; its reply may be sent once what the promise needs was done.
func (r *Registry) Check(s *Session, at time.Duration, req *protocol.Request) (protocol.Reply, Promise) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o, refusal := r.find(s, at, watchdog.JobID(req.Job), req.Token)
	if o == nil {
		return refusal, Promise{}
	}
	h := &o.entry.holds[slot(o.role)]
	switch {
	case !r.cfg.Enabled():
		return refuse(protocol.Unavailable, "", "the finalizer liveness is switched off: no hold is given"), Promise{}
	case at < h.until && h.token != o.token, at < r.heldAll:
		return refuse(protocol.Unavailable, "", "a hold that was promised before is still running"), Promise{}
	case o.noHold != 0 && at >= o.noHold:
		return refuse(protocol.Unavailable, "", "the job is past its ceiling: no hold is given"), Promise{}
	}
	length := r.cfg.Hold
	if req.Hold != 0 {
		length = min(length, req.Hold)
	}
	p := Promise{Job: o.entry.job, Token: o.token, Role: o.role, UID: s.peer.UID, Until: at + length}
	if !o.confirmed {
		if o.askedAt == 0 {
			o.askedAt = at
		}
		p.Ask = true
		return protocol.Reply{}, p
	}
	if h.token != o.token {
		*h = hold{token: o.token, uid: s.peer.UID}
	}
	h.until = max(h.until, p.Until)
	p.Keep = p.Until > h.kept
	return protocol.Reply{Hold: length}, p
}

// Forgo ends a check that needed the database's confirmation and did not get it. One that comes after it is not for a
// check to come, which may be long after it.
func (r *Registry) Forgo(p Promise) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.tokens[p.Token]; o != nil {
		o.askedAt, o.confirmed = 0, false
	}
}

// Checked counts the outcome of a check. The caller knows it: whether the database and the state file
// answered is decided outside of the registry.
func (r *Registry) Checked(reply protocol.Reply) {
	result := "ok"
	if reply.Err != nil {
		result = string(reply.Err.Code)
	}
	r.cfg.Observer.Checked(result)
}

// Kept records that the state file knows of a hold of the job until that instant.
func (r *Registry) Kept(p Promise, until time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.jobs[p.Job]
	if e == nil {
		return
	}
	if h := &e.holds[slot(p.Role)]; h.token == p.Token {
		h.kept = max(h.kept, until)
	}
}

// Restore brings back the holds that were promised before a restart. Unknown is the instant until which
// every job counts as held, because the holds could not be read; 0 when they could.
func (r *Registry) Restore(holds []Hold, unknown time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heldAll = unknown
	for _, h := range holds {
		e := r.entry(h.Job)
		e.holds[slot(h.Role)] = hold{until: h.Until, token: h.Token, uid: h.UID, kept: h.Until}
		e.newest[slot(h.Role)] = given{token: h.Token, uid: h.UID}
		r.restored[h.Token] = h
		r.tidy(e, 0)
	}
}

// Holds returns the holds as the state file has to know them: until the end that it knows already, as long as that is
// to come, for a check inside it will not be written; and rounded up, so that a file that is written anew between
// Keep and Kept still has what Kept says.
func (r *Registry) Holds(at time.Duration) []Hold {
	r.mu.Lock()
	defer r.mu.Unlock()
	var holds []Hold
	for _, e := range r.jobs {
		for i, role := range []watchdog.Role{watchdog.Finalizer, watchdog.Worker} {
			h := e.holds[i]
			until := h.kept
			if at < h.until {
				until = max(until, h.until+r.cfg.Hold)
			}
			if at < until {
				holds = append(holds, Hold{Job: e.job, Token: h.token, Role: role, UID: h.uid, Until: until})
			}
		}
	}
	return holds
}

func (e *entry) heldUntil() time.Duration { return max(e.holds[0].until, e.holds[1].until) }
