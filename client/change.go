package client

import (
	"slices"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// The ways in which an ownership changes. The callers hold mu.

// take ends an ownership that is another's by now, with all that have its token, and tells everyone who waits.
func (c *Client) take(o *Ownership, why error) {
	reason := why.Error()
	if e, ok := why.(*RevokedError); ok {
		reason = e.Reason
	}
	for _, each := range append(c.sharers(o), o) {
		c.drop(each, "")
		each.why = reason
		each.end(why)
		c.answerAll(each, Answer{State: Revoked, Reason: reason})
		shut(each.settled)
	}
}

// sharers are the other ownerships that have the token: marks of one finalization under one key.
func (c *Client) sharers(o *Ownership) []*Ownership {
	return slices.DeleteFunc(slices.Clone(c.tokens[o.token]), func(other *Ownership) bool { return other == o })
}

// shared reports whether the token is also another's, or is about to be: then a clear must not be sent.
func (c *Client) shared(s *session, o *Ownership) bool {
	return len(c.sharers(o)) > 0 || slices.ContainsFunc(s.asked, func(r request) bool {
		return r.op == protocol.OpMark && r.of != o && r.of.phase == phaseMarking && r.of.job.same(o.job)
	})
}

// drop ends an ownership of which nothing is left to send.
func (c *Client) drop(o *Ownership, why string) {
	if o.phase == phaseOver {
		return
	}
	c.forget(o)
	o.phase, o.why = phaseOver, why
	shut(o.gone)
}

// forget takes the ownership from all that the client keeps.
func (c *Client) forget(o *Ownership) {
	delete(c.owned, o)
	c.untoken(o)
}

// untoken takes the ownership from those that have its token.
func (c *Client) untoken(o *Ownership) {
	if c.tokens[o.token] = c.sharers(o); len(c.tokens[o.token]) == 0 {
		delete(c.tokens, o.token)
	}
}

// refuse takes in that a mark was refused for good, and reports whether the ownership does nothing from now on. A
// watchdog that does not know a token has lost its memory: the job is marked afresh, and it decides.
func (c *Client) refuse(o *Ownership, m protocol.Message) (inert bool) {
	if o.token != 0 && (m.Error == protocol.BadRequest || m.Error == protocol.NotOwner) {
		c.untoken(o)
		o.phase, o.token = phaseIdle, 0
		c.send(o)
		return false
	}
	c.drop(o, "")
	o.phase, o.why = phaseInert, refused(m).Error()
	c.answerAll(o, Answer{State: Unknown, Reason: o.why})
	shut(o.settled)
	return true
}

// postpone takes in that a mark was refused for now.
func (c *Client) postpone(o *Ownership, m protocol.Message) {
	if o.clearing {
		c.drop(o, cleared)
		return
	}
	o.phase, o.why = phasePaused, refused(m).Error()
	c.paused = append(c.paused, o)
	c.answerAll(o, Answer{State: Unknown, Reason: o.why})
	shut(o.settled)
}

// lose takes in that the session ended: what is owned is to be resumed, what was asked is asked again, what was
// being cleared is left to the lease.
func (c *Client) lose(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session, c.unsent, c.paused = nil, nil, nil
	for _, r := range s.asked {
		switch {
		case r.op == protocol.OpClear:
			shut(r.of.gone)
		case r.op == protocol.OpCheck && r.of.phase == phaseOver:
			r.of.reply(r.check, Answer{State: Revoked, Reason: r.of.why})
		case r.op == protocol.OpCheck && r.of.clearing:
			r.of.reply(r.check, Answer{State: Revoked, Reason: cleared})
		case r.op == protocol.OpCheck && !r.check.left:
			r.of.checks = append(r.of.checks, r.check)
		}
	}
	for o := range c.owned {
		if o.clearing {
			c.drop(o, cleared)
			continue
		}
		o.phase, o.stepNew, o.queued = phaseIdle, o.step != "", false
	}
}
