package client

// Backoff is the pause after so many failures.
var Backoff = backoff

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
