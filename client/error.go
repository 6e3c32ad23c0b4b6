package client

import (
	"errors"
	"fmt"
	"time"
)

// OwnedError says that another finalizer has the job.
type OwnedError struct {
	Job   string
	Owner string        // the name of its session; may be empty
	Since time.Duration // for how long it had the job when it was asked
}

func (e *OwnedError) Error() string {
	return fmt.Sprintf("job %s is owned by %q since %v", e.Job, e.Owner, e.Since.Round(time.Millisecond))
}

// RevokedError says that the job was taken from its owner: it was reaped, or is another run's by now.
type RevokedError struct {
	Job    string
	Reason string // the watchdog's word for it, such as backstop
}

func (e *RevokedError) Error() string {
	return fmt.Sprintf("job %s was revoked: %s", e.Job, e.Reason)
}

// Why the client itself answers Unknown.
var (
	errClosed = errors.New("the client is closed")
	errAway   = errors.New("the watchdog is away")
	errLate   = errors.New("the watchdog did not answer in time")
)

// cleared is why an ownership is over that its owner ended.
const cleared = "cleared"

// Why a connection is given up.
var (
	errSilent    = errors.New("the watchdog is silent past the lease")
	errUnasked   = errors.New("the watchdog answered what was not asked")
	errNonsense  = errors.New("the watchdog granted a mark without its token")
	errLeaseless = errors.New("the watchdog named no lease")
)
