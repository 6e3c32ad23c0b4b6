package client

import (
	"context"
	"time"
)

// send lets the writer look at the ownership. Without a session there is nothing to keep: a new one looks at
// all. The caller holds mu.
func (c *Client) send(o *Ownership) {
	if c.session != nil && !o.queued {
		o.queued = true
		c.unsent = append(c.unsent, o)
	}
	c.rouse()
}

// rouse wakes the goroutine that connects and writes.
func (c *Client) rouse() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// orBackground is for callers who have no context: nothing here may panic in their code.
func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// patience is how long a caller who sets no deadline waits: for a watchdog that has not answered the one before,
// not at all. The caller holds mu.
func (c *Client) patience() time.Duration {
	if c.session != nil && c.session.silent {
		return 0
	}
	return c.options.Timeout
}

// await waits until answered is closed and reports whether it was, for as long as ctx and limit allow. A
// watchdog that was being connected to for all of the limit is taken to be away, and one that is connected to be
// silent.
func (c *Client) await(ctx context.Context, limit time.Duration, answered <-chan struct{}) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-answered:
		return true
	case <-ctx.Done():
	case <-timer.C:
		c.mu.Lock()
		switch {
		case limit == 0: // nobody waited, and it may have been heard of just now
		case c.session != nil:
			c.session.silent = true
		case c.away == nil:
			c.away = errLate
		}
		c.mu.Unlock()
	}
	return false
}

// known is what can be answered without asking. The caller holds mu.
func (o *Ownership) known() (a Answer, known bool) {
	c := o.client
	switch {
	case o.clearing:
		return Answer{State: Revoked, Reason: cleared}, true
	case o.phase == phaseOver:
		return Answer{State: Revoked, Reason: o.why, Granted: o.granted}, true
	case o.phase == phaseInert, o.phase == phasePaused:
		return Answer{State: Unknown, Reason: o.why, Granted: o.granted}, true
	case c.closed:
		return Answer{State: Unknown, Reason: errClosed.Error(), Granted: o.granted}, true
	case c.away != nil && c.session == nil:
		return Answer{State: Unknown, Reason: c.away.Error(), Err: c.away, Granted: o.granted}, true
	}
	return Answer{}, false
}

// giveUp answers everyone who waits for a watchdog that does not come. The caller holds mu.
func (c *Client) giveUp(why error) {
	c.away = why
	for o := range c.owned {
		shut(o.settled)
		c.answerAll(o, Answer{State: Unknown, Reason: why.Error(), Err: why})
	}
}

// answerAll answers the checks that were not sent. The caller holds mu.
func (c *Client) answerAll(o *Ownership, a Answer) {
	for _, waiting := range o.checks {
		o.reply(waiting, a)
	}
	o.checks = nil
}

func (o *Ownership) reply(waiting *check, a Answer) {
	a.Granted, a.client = o.granted, o.client
	waiting.answer = a
	close(waiting.answered)
}

// shut closes the channel unless that was done before. The caller holds mu.
func shut(told chan struct{}) {
	select {
	case <-told:
	default:
		close(told)
	}
}
