package client

import "time"

// State is what a check found.
type State string

// The states of an Answer.
const (
	OK      State = "ok"      // the caller owns the job, and nobody will take it while the hold runs
	Revoked State = "revoked" // the caller owns it no more and must not go on
	Unknown State = "unknown" // nobody could say; see Policy
)

// Policy says what a caller makes of Unknown.
type Policy int

const (
	// UnlessRevoked goes on: the watchdog's absence must not stop the orchestrator. What finalizes then is
	// as safe as it was without a watchdog.
	UnlessRevoked Policy = iota
	// UnlessInDoubt stops where the watchdog once granted the ownership and cannot be asked now. It goes on
	// where there never was a watchdog.
	UnlessInDoubt
)

// Answer is the outcome of a Check.
type Answer struct {
	State   State
	Reason  string // why it was revoked, or why nobody knows; empty when OK
	Err     error  // what kept the client from asking, such as a socket that is not there; nil when it asked
	Granted bool   // the watchdog granted this ownership at some time

	until  time.Duration // of the boot clock; 0: no hold
	client *Client
}

// Remaining is how much of the promise is left now: for so long the job will not be reaped from its owner. It is
// counted on CLOCK_BOOTTIME from when the check was sent, so that it ends before the watchdog's own count does.
// It is 0 unless the State is OK.
func (a Answer) Remaining() time.Duration {
	if a.until == 0 {
		return 0
	}
	return max(0, a.until-a.client.clock())
}

// Proceed reports whether to go on, by the caller's policy for Unknown. It looks at the answer, not at the hold:
// ask again for a step that may begin after Remaining has run out.
func (a Answer) Proceed(p Policy) bool {
	switch a.State {
	case OK:
		return true
	case Unknown:
		return p == UnlessRevoked || !a.Granted
	}
	return false
}
