package client

import (
	"context"
	"net"
	"time"
)

// Backoff is the pause after so many failures.
var Backoff = backoff

// UseDial replaces the way to the watchdog.
func (c *Client) UseDial(dial func(context.Context) (net.Conn, error)) { c.dial = dial }

// UseClock replaces the boot clock, which no bubble makes virtual.
func (c *Client) UseClock(clock func() time.Duration) { c.clock = clock }

// Kept counts what the client remembers: ownerships, tokens, and requests to send or to be answered.
func (c *Client) Kept() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := len(c.owned) + len(c.tokens) + len(c.unsent) + len(c.paused)
	if c.session != nil {
		kept += len(c.session.asked)
	}
	return kept
}
