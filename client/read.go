package client

import (
	"fmt"
	"strconv"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// read takes in what the watchdog says until the connection ends or it talks nonsense.
func (c *Client) read(s *session) error {
	for s.lines.Scan() {
		m, err := protocol.ParseMessage(s.lines.Bytes())
		if err != nil {
			return err
		}
		if err := c.receive(s, m); err != nil {
			return err
		}
		if s.refusal != nil { // told here, where no logger can hold anyone up
			c.log.Warn("watchdog refused mark", "error", s.refusal)
			s.refusal = nil
		}
	}
	return s.end()
}

func (c *Client) receive(s *session, m protocol.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.doubtful, s.silent = false, false
	if m.Event != "" {
		c.heard(s, m)
		return nil
	}
	if len(s.asked) == 0 {
		return errUnasked
	}
	r := s.asked[0]
	// A request that could not be read is refused without its id.
	if id := string(m.ID); id != strconv.FormatUint(r.id, 10) && (m.OK || id != "") {
		return errUnasked
	}
	s.asked = s.asked[1:]
	defer s.forgetEarly()
	if m.OK {
		s.leaseUntil = max(s.leaseUntil, r.sent+s.lease)
	}
	if len(c.unsent) > 0 {
		c.rouse()
	}
	switch r.op {
	case protocol.OpMark:
		return c.marked(s, r.of, m)
	case protocol.OpCheck:
		c.checked(r, m)
	case protocol.OpStep:
		c.refusedToken(r.of, m)
	case protocol.OpClear:
		shut(r.of.gone)
	}
	return nil
}

// heard takes in an event. It may come before the reply to the mark that it is about.
func (c *Client) heard(s *session, m protocol.Message) {
	if m.Event != "revoked" {
		return
	}
	if all := c.tokens[m.Token]; len(all) > 0 {
		c.take(all[0], &RevokedError{Job: all[0].job.ID, Reason: m.Reason})
		return
	}
	if s.marking() {
		if s.early == nil {
			s.early = make(map[uint64]string)
		}
		s.early[m.Token] = m.Reason
	}
}

// marked takes in the reply to a mark.
func (c *Client) marked(s *session, o *Ownership, m protocol.Message) error {
	if o.phase != phaseMarking { // an event was faster
		return nil
	}
	switch m.Error {
	case protocol.Owned:
		c.take(o, &OwnedError{Job: o.job.ID, Owner: m.Owner.Name, Since: span(m.Owner.SinceS)})
	case protocol.Revoked:
		c.take(o, &RevokedError{Job: o.job.ID, Reason: m.Reason})
	case protocol.BadRequest, protocol.NotOwner, protocol.Forbidden, protocol.TooLong, protocol.UnknownOp,
		protocol.UnsupportedVersion:
		if c.refuse(o, m) {
			s.refusal = fmt.Errorf("mark job %s: %w", o.job.ID, refused(m))
		}
	case "":
		if !m.OK || m.Token == 0 || o.token != 0 && m.Token != o.token {
			return errNonsense
		}
		if o.token == 0 {
			c.tokens[m.Token] = append(c.tokens[m.Token], o)
		}
		o.phase, o.token, o.granted = phaseHeld, m.Token, true
		if reason, revoked := s.early[m.Token]; revoked {
			c.take(o, &RevokedError{Job: o.job.ID, Reason: reason})
			return nil
		}
		shut(o.settled)
		c.send(o)
	default: // unavailable, overloaded, or a word of a later watchdog
		c.postpone(o, m)
	}
	return nil
}

// checked takes in the reply to a check.
func (c *Client) checked(r request, m protocol.Message) {
	a := Answer{State: Unknown}
	switch {
	case c.refusedToken(r.of, m):
		a = Answer{State: Revoked, Reason: r.of.why}
	case !m.OK:
		a.Reason = refused(m).Error()
	case m.HoldS <= 0:
		a.Reason = "the watchdog promised no hold"
	default:
		a.until = r.sent + span(m.HoldS)
		if c.clock() >= a.until {
			a.until, a.Reason = 0, "the hold ran out before its answer came"
			break
		}
		a.State = OK
	}
	r.of.reply(r.check, a)
}

// refusedToken acts on a reply that says that the token is good no more, and reports whether the ownership is
// over. Where it is only strange to this session it is resumed, and that reply tells.
func (c *Client) refusedToken(o *Ownership, m protocol.Message) bool {
	switch m.Error {
	case protocol.Revoked:
		c.take(o, &RevokedError{Job: o.job.ID, Reason: m.Reason})
	case protocol.NotOwner:
		if o.phase == phaseHeld {
			o.phase, o.stepNew = phaseIdle, o.step != ""
			c.send(o)
		}
	}
	return o.phase == phaseOver
}
