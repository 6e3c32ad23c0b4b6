package client

import (
	"strconv"
	"time"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// maxAsked bounds the requests that wait for their replies.
const maxAsked = 256

// write sends what is to be sent until the reader is done (nil) or the connection is no good.
func (c *Client) write(s *session, done <-chan struct{}) error {
	beat := time.NewTicker(s.beat)
	defer beat.Stop()
	var lines []byte
	for {
		lines = c.compose(s, lines[:0])
		if len(lines) > 0 {
			if err := s.conn.SetWriteDeadline(time.Now().Add(s.lease)); err != nil {
				return err
			}
			if _, err := s.conn.Write(lines); err != nil {
				return err
			}
		}
		select {
		case <-done:
			return nil
		case <-c.wake:
		case <-beat.C:
			if err := c.tick(s); err != nil {
				return err
			}
		}
	}
}

// tick makes a beat due, and ends a session that is silent past its lease. It gives one more beat before that:
// it may be this process that stood still, with the replies waiting to be read.
func (c *Client) tick(s *session) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clock() >= s.leaseUntil {
		if s.doubtful {
			return errSilent
		}
		s.doubtful = true
	}
	s.beatDue = true
	for _, o := range c.paused {
		if o.phase == phasePaused {
			o.phase = phaseIdle
			c.send(o)
		}
	}
	c.paused = nil
	return nil
}

// compose appends the lines that are due now, as far as replies are not too many behind.
func (c *Client) compose(s *session, b []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock()
	if s.beatDue {
		s.beatDue = false
		b = s.ask(b, request{op: protocol.OpBeat, sent: now}, protocol.Request{})
	}
	for len(c.unsent) > 0 && len(s.asked) < maxAsked {
		o := c.unsent[0]
		c.unsent = c.unsent[1:]
		o.queued = false
		b = c.composeOwnership(s, o, b, now)
	}
	return b
}

func (c *Client) composeOwnership(s *session, o *Ownership, b []byte, now time.Duration) []byte {
	switch o.phase {
	case phaseIdle:
		o.phase = phaseMarking
		return s.ask(b, request{op: protocol.OpMark, of: o, sent: now}, o.job.mark(o.token))
	case phaseHeld:
	default:
		return b
	}
	that := protocol.Request{Job: o.job.ID, Token: o.token}
	if o.clearing && c.shared(s, o) {
		c.drop(o, cleared)
		return b
	}
	if o.clearing {
		o.phase = phaseOver
		c.forget(o)
		return s.ask(b, request{op: protocol.OpClear, of: o, sent: now}, that)
	}
	if o.stepNew {
		o.stepNew = false
		step := that
		step.Step = o.step
		if o.stepUntil != 0 {
			step.Budget = max(o.stepUntil-now, time.Millisecond)
		}
		b = s.ask(b, request{op: protocol.OpStep, of: o, sent: now}, step)
	}
	for _, waiting := range o.checks {
		that.Hold = waiting.hold
		b = s.ask(b, request{op: protocol.OpCheck, of: o, check: waiting, sent: now}, that)
	}
	o.checks = nil
	return b
}

// ask appends one request and remembers that its reply is to come.
func (s *session) ask(b []byte, r request, line protocol.Request) []byte {
	s.lastID++
	r.id = s.lastID
	s.asked = append(s.asked, r)
	line.Op, line.ID = r.op, strconv.AppendUint(nil, r.id, 10)
	return line.Append(b)
}
