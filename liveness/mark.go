package liveness

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// Newest is which run of a job is the newest, empty when the job is not open, and an instant before that was read.
type Newest struct {
	Run watchdog.RunID
	At  time.Duration
}

// Mark grants the ownership of a job, afresh or, when the request has a token, resumed. It is false when
// the answer depends on which run of the job is the newest: then the database has to be asked, its answer
// observed, and Mark called again with the newest run told. It is false again when somebody else has been granted
// the job meanwhile.
func (r *Registry) Mark(s *Session, at time.Duration, req *protocol.Request, newest *Newest) (protocol.Reply, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wake(at)
	s.beatAt = max(s.beatAt, at)
	reply, result := r.mark(s, at, req, newest)
	if result == "" {
		return protocol.Reply{}, false
	}
	r.cfg.Observer.Marked(result)
	return reply, true
}

// mark returns the answer and, for the metrics, its name; none when the database has to be asked.
func (r *Registry) mark(s *Session, at time.Duration, req *protocol.Request, newest *Newest) (protocol.Reply, string) {
	run := watchdog.RunID(req.Run)
	e := r.jobs[watchdog.JobID(req.Job)]
	if e != nil && len(e.reaping) > 0 {
		e.heard(e.reaping, s, req.Token, r.cfg.Observer)
		return revoked(string(watchdog.ReasonReaping)), "revoked"
	}
	if e != nil {
		e.heard(e.revoked, s, req.Token, r.cfg.Observer)
		for _, v := range e.revoked {
			if v.run == run || req.Token != 0 && v.token == req.Token {
				return revoked(string(v.reason)), "revoked"
			}
		}
	}
	if req.Token != 0 {
		return r.resume(s, at, req, e, newest)
	}
	if e != nil {
		if reply, result, done := r.meet(s, at, req, e, newest); done {
			return reply, result
		}
	}
	return r.grant(s, at, req, 0)
}

// meet decides a mark that may have met another ownership of the job. It is done with an answer; done
// without a result means that the database has to be asked.
func (r *Registry) meet(s *Session, at time.Duration, req *protocol.Request, e *entry, newest *Newest) (protocol.Reply, string, bool) {
	o := e.slots[slot(watchdog.Role(req.Role))]
	if o != nil && o.run == watchdog.RunID(req.Run) && o.sameKey(s, req.Key) && o.stateAt(at) != watchdog.Dead {
		if o.leftBehind(s) {
			return taken(o, at), "owned", true
		}
		r.move(o, s)
		return protocol.Reply{Token: o.token}, "again", true
	}
	if at < e.holds[slot(watchdog.Role(req.Role))].until {
		// What a holder does inside its hold it does alone, also once it is dead: its children may go on.
		return taken(o, at), "owned", true
	}
	if o == nil {
		return protocol.Reply{}, "", false
	}
	state := o.stateAt(at)
	if o.run != watchdog.RunID(req.Run) && state != watchdog.Ended {
		if !newest.since(o) {
			return protocol.Reply{}, "", true
		}
		if newest.Run != watchdog.RunID(req.Run) {
			return revoked(reasonSuperseded), "revoked", true
		}
	}
	if o.run == watchdog.RunID(req.Run) && (state == watchdog.Connected || state == watchdog.Stalled) {
		return taken(o, at), "owned", true
	}
	r.supersede(o, at, state)
	return protocol.Reply{}, "", false
}

// since reports whether it was read after the ownership was granted: else it may name a run that came before its.
func (n *Newest) since(o *ownership) bool { return n != nil && o.markedAt <= n.At }

// sameKey reports whether a mark with that key comes from the finalization that o is. Without a key only
// the session itself is known to be the same.
func (o *ownership) sameKey(s *Session, key string) bool {
	if o.key != key {
		return false
	}
	return o.session == s || key != "" && o.session.peer.UID == s.peer.UID
}

// leftBehind reports whether the owner has connected again since the session: what is heard in it now was sent
// before, and lay unread while the watchdog stood still. It must not take the ownership from the session that
// lives.
func (o *ownership) leftBehind(s *Session) bool {
	return o.session.connected && o.session.number > s.number
}

// supersede ends an ownership in favour of a newer one.
func (r *Registry) supersede(o *ownership, at time.Duration, state watchdog.State) {
	switch state {
	case watchdog.Ended:
		r.lose(o, at)
	case watchdog.Dead:
		r.withdraw(o, at, "died", reasonSuperseded)
	default:
		r.withdraw(o, at, "revoked", reasonSuperseded)
	}
}

// resume brings a token into the session, on its word alone if it is not known: then it defers like an
// owner, and its checks wait until the database confirmed it. Of two tokens of one run the newer counts; between
// runs the database decides, for who marks late may have the newer token of an older run. No answer means that it
// has to be asked.
func (r *Registry) resume(s *Session, at time.Duration, req *protocol.Request, e *entry, newest *Newest) (protocol.Reply, string) {
	if req.Token > r.token {
		return refuse(protocol.BadRequest, "token", "was never given"), "refused"
	}
	if o := r.tokens[req.Token]; o != nil {
		return r.rejoin(s, at, o, req)
	}
	if h, ok := r.restored[req.Token]; ok && at < h.Until && !h.of(s, req) {
		return refuse(protocol.NotOwner, "", "the hold that runs under this token is of another user, job or role"), "refused"
	}
	i := slot(watchdog.Role(req.Role))
	var last given
	if e != nil {
		last = e.newest[i]
	}
	switch {
	case req.Token < last.token && (last.run == watchdog.RunID(req.Run) || last.run == ""):
		return revoked(reasonSuperseded), "revoked"
	case req.Token == last.token && last.uid != s.peer.UID:
		return refuse(protocol.NotOwner, "", "another user marked it"), "refused"
	case req.Token != last.token && !r.believes(req.Token, at):
		return refuse(protocol.NotOwner, "", "nothing is known of the token any more; mark the job afresh"), "refused"
	}
	if e == nil {
		return r.grant(s, at, req, req.Token)
	}
	if o := e.slots[i]; o != nil {
		state := o.stateAt(at)
		lives := state != watchdog.Ended && state != watchdog.Dead
		switch h := e.holds[i]; {
		case lives && o.session.peer.UID != s.peer.UID:
			return taken(o, at), "owned" // a token that nobody knows proves nothing against another user
		case lives && at < h.until && h.token == o.token:
			// Who comes back with a newer token is the owner once that is over; the holder is alone until then.
			return refuse(protocol.Unavailable, "", "a hold that was promised before is still running"), "unavailable"
		case o.run == watchdog.RunID(req.Run) || state == watchdog.Ended:
		case !newest.since(o):
			return protocol.Reply{}, ""
		case newest.Run != watchdog.RunID(req.Run):
			return revoked(reasonSuperseded), "revoked"
		}
		r.supersede(o, at, state)
	}
	return r.grant(s, at, req, req.Token)
}

// believes reports whether a token of which nothing is known may have been given by the watchdog before this one to an
// owner that has not come back yet. One that this watchdog gave is over; and so is an older one by the time at which
// the end of a newer one may have been forgotten.
func (r *Registry) believes(token uint64, at time.Duration) bool {
	return token <= r.inherited && at < r.firstAt+r.cfg.Grace
}

// of reports whether the hold is of the ownership that the session wants to resume.
func (h Hold) of(s *Session, req *protocol.Request) bool {
	return h.UID == s.peer.UID && h.Job == watchdog.JobID(req.Job) && h.Role == watchdog.Role(req.Role)
}

// rejoin brings a token that is known into the session, for whom and for what it was given.
func (r *Registry) rejoin(s *Session, at time.Duration, o *ownership, req *protocol.Request) (protocol.Reply, string) {
	switch {
	case o.session.peer.UID != s.peer.UID:
		return refuse(protocol.NotOwner, "", "another user marked it"), "refused"
	case o.entry.job != watchdog.JobID(req.Job):
		return refuse(protocol.BadRequest, "job", "is not the job that was marked under this token"), "refused"
	case o.run != watchdog.RunID(req.Run):
		return refuse(protocol.BadRequest, "run", "is not the run that was marked under this token"), "refused"
	case o.role != watchdog.Role(req.Role):
		return refuse(protocol.BadRequest, "role", "is not the role that was marked under this token"), "refused"
	case o.leftBehind(s):
		return taken(o, at), "owned"
	}
	r.move(o, s)
	return protocol.Reply{Token: o.token}, "resumed"
}

// grant gives the job to the session, under a new token unless one is resumed.
func (r *Registry) grant(s *Session, at time.Duration, req *protocol.Request, token uint64) (protocol.Reply, string) {
	if r.full(s) {
		return refuse(protocol.Overloaded, "", "too many ownerships"), "overloaded"
	}
	resumed := token != 0
	if !resumed && r.token >= r.bound {
		return refuse(protocol.Unavailable, "", "no token could be reserved in the state file"), "unavailable"
	}
	if !resumed {
		r.token++
		token = r.token
	}
	e := r.entry(watchdog.JobID(req.Job))
	o := &ownership{entry: e, session: s, run: watchdog.RunID(req.Run), key: req.Key,
		role: watchdog.Role(req.Role), task: req.Task, stage: req.Stage, token: token, markedAt: at,
		guarded: resumed && r.mayGuard(req.Stage), unsettled: resumed || r.young(at)}
	e.slots[slot(o.role)] = o
	e.newest[slot(o.role)] = given{token, o.run, s.peer.UID}
	r.tokens[token] = o
	r.shares[s.peer.UID]++
	r.attach(o, s)
	if o.role == watchdog.Finalizer {
		r.owned++
		r.order.add(o)
	}
	r.tidy(e, at)
	if resumed {
		return protocol.Reply{Token: token}, "resumed"
	}
	return protocol.Reply{Token: token}, "granted"
}

// mayGuard reports whether an ownership that is resumed may have been seen in a guarded stage before the watchdog
// was started: its finalizer may have moved the task on since, and then no row tells. The client's word is taken for
// it, its silence too: this errs towards leaving a job alone, until the backstop.
func (r *Registry) mayGuard(stage string) bool { return stage == "" || r.cfg.Rules.Guards(stage) }

// move hangs the ownership on another session: the token is good there from now on, and only there.
func (r *Registry) move(o *ownership, to *Session) {
	if o.session == to {
		return
	}
	from := o.session
	delete(from.owned, o.token)
	if o.role == watchdog.Finalizer {
		from.finalizers--
	}
	if o.late {
		from.late--
		to.late++
	}
	r.attach(o, to)
}

func (r *Registry) attach(o *ownership, s *Session) {
	if s.owned == nil {
		s.owned = make(map[uint64]*ownership)
	}
	s.owned[o.token] = o
	o.session = s
	if o.role == watchdog.Finalizer {
		s.finalizers++
	}
}
