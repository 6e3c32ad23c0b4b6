package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// run keeps a session up while something is owned, until ctx ends.
func (c *Client) run(ctx context.Context) {
	failures := 0
	for c.needed(ctx) {
		s, err := c.connect(ctx)
		if err == nil {
			began := c.clock()
			err = c.serve(ctx, s)
			if c.clock()-began >= s.beat {
				failures = 0
			}
		}
		if ctx.Err() != nil {
			return
		}
		c.apart(ctx, err, s != nil, failures)
		pause(ctx, backoff(failures, c.cadence()))
		failures++
	}
}

// needed waits until something is owned. It is false when ctx has ended.
func (c *Client) needed(ctx context.Context) bool {
	for ctx.Err() == nil {
		c.mu.Lock()
		idle := len(c.owned) == 0
		if idle {
			c.away = nil // nobody has tried since
		}
		c.mu.Unlock()
		if !idle {
			return true
		}
		select {
		case <-c.wake:
		case <-ctx.Done():
		}
	}
	return false
}

// serve speaks on the session until it ends, and says why it did.
func (c *Client) serve(ctx context.Context, s *session) error {
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	c.mu.Lock()
	c.session, c.away, c.lease = s, nil, s.lease
	c.resume()
	c.mu.Unlock()
	c.log.InfoContext(ctx, "watchdog connected", "lease", s.lease)

	var readErr error
	done := make(chan struct{})
	c.running.Go(func() {
		defer close(done)
		readErr = c.read(s)
	})
	err := c.write(s, done)
	s.conn.Close()
	<-done
	c.lose(s)
	if err == nil {
		err = readErr
	}
	return err
}

// resume has everything marked that is owned, what was granted before first. The caller holds mu.
func (c *Client) resume() {
	for _, all := range c.tokens {
		for _, o := range all {
			c.send(o)
		}
	}
	for o := range c.owned {
		c.send(o)
	}
}

// apart notes that there is no session. When the next attempt comes at once, callers may wait for it; else the
// watchdog is away, and they are answered now.
func (c *Client) apart(ctx context.Context, why error, lost bool, failures int) {
	if lost {
		c.log.WarnContext(ctx, "watchdog lost", "error", why)
	} else if failures == 0 {
		c.log.InfoContext(ctx, "watchdog away", "error", why)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !lost || failures > 0 {
		c.giveUp(fmt.Errorf("%w: %w", errAway, why))
	}
}

// cadence bounds the time between two attempts: a watchdog that is back is found within the lease.
func (c *Client) cadence() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lease / 3
}

// backoff is how long to wait after so many failures before: hardly at all at first, then twice as long each
// time, and never the same for two clients.
func backoff(failures int, most time.Duration) time.Duration {
	if failures == 0 {
		return rand.N(5 * time.Millisecond)
	}
	d := min(most, 50*time.Millisecond<<min(failures-1, 20))
	return d/2 + rand.N(d/2+1)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
