package client

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"sync"
	"time"
)

// DefaultSocket is where the watchdog listens unless told otherwise.
const DefaultSocket = "/run/watchdog/heartbeat.sock"

// Options say how to reach the watchdog. The zero Options are the usual ones.
type Options struct {
	Socket  string        // path; default DefaultSocket
	Name    string        // of this process, for people; at most 256 bytes, longer ones are cut
	Lease   time.Duration // how long the watchdog bears silence; 0: its own setting, which it never exceeds
	Timeout time.Duration // how long one call may wait for an answer; default 50 ms
	Logger  *slog.Logger  // told when the watchdog comes, goes or refuses; default: nobody is

	// Dial is another way to the watchdog than Socket, for programs that are tested in virtual time: a real
	// socket holds it up. Boot is the clock that goes with it; default: CLOCK_BOOTTIME.
	Dial func(ctx context.Context) (net.Conn, error)
	Boot func() time.Duration
}

// Client speaks to one watchdog. Its methods may be called concurrently. Nil and the zero Client speak to none.
type Client struct {
	options Options
	log     *slog.Logger
	dial    func(ctx context.Context) (net.Conn, error)
	clock   func() time.Duration // CLOCK_BOOTTIME

	wake    chan struct{} // holds one: there is something to send, or to connect for
	running sync.WaitGroup

	mu      sync.Mutex
	quit    context.CancelFunc // nil until started
	closed  bool
	away    error                   // why waiting for the watchdog is known to be in vain; nil: it is not
	owned   map[*Ownership]struct{} // all that is to be marked or resumed
	tokens  map[uint64][]*Ownership // those of them that the watchdog granted; marks with one key have one token
	unsent  []*Ownership            // those with something to send
	paused  []*Ownership            // those in phasePaused
	session *session                // nil unless connected
	lease   time.Duration           // of the last session
}

// New returns a client. It starts nothing and cannot fail: the watchdog may come later.
func New(o Options) *Client {
	o.Socket = cmp.Or(o.Socket, DefaultSocket)
	o.Timeout = cmp.Or(max(o.Timeout, 0), 50*time.Millisecond)
	o.Lease = max(o.Lease, 0)
	c := &Client{
		options: o,
		log:     o.Logger,
		dial:    o.Dial,
		clock:   o.Boot,
		wake:    make(chan struct{}, 1),
		owned:   make(map[*Ownership]struct{}),
		tokens:  make(map[uint64][]*Ownership),
		lease:   cmp.Or(o.Lease, defaultLease),
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.dial == nil {
		c.dial = func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", o.Socket)
		}
	}
	if c.clock == nil {
		c.clock = bootClock()
	}
	return c
}

// Mark says that this process finalizes the job from now on, until Clear. It waits for the watchdog's answer
// for at most Options.Timeout, and never for one that is known to be away: the ownership is then marked when it
// comes.
//
// Its only errors are *OwnedError and *RevokedError: another finalizer has the job, or it was taken from this
// one, and the caller must not finalize. The ownership is never nil; with an error it is one that was revoked.
func (c *Client) Mark(ctx context.Context, job Job) (*Ownership, error) {
	if c == nil || c.wake == nil {
		return new(Ownership), nil
	}
	ctx = orBackground(ctx)
	o := newOwnership(c, job)
	if err := o.job.unfit(); err != nil {
		c.log.WarnContext(ctx, "cannot mark job", "job", job.ID, "error", err)
		o.phase, o.why = phaseInert, err.Error()
		return o, nil
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		o.phase, o.why = phaseInert, errClosed.Error()
		return o, nil
	}
	c.start()
	c.owned[o] = struct{}{}
	c.send(o)
	wait, limit := c.away == nil, c.patience()
	c.mu.Unlock()
	if wait {
		c.await(ctx, limit, o.settled)
	}
	return o, o.refusal()
}

// Close hangs up and waits for the client's goroutines. What is still owned is not cleared: to the watchdog the
// owner has fallen silent. Every check is Unknown from then on. Close may be called more than once.
func (c *Client) Close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.closed = true
	if c.quit != nil {
		c.quit()
	}
	c.mu.Unlock()
	c.running.Wait()
}

// start begins to connect. The caller holds mu.
func (c *Client) start() {
	if c.quit != nil {
		return
	}
	ctx, quit := context.WithCancel(context.Background())
	c.quit = quit
	c.running.Go(func() {
		c.run(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.giveUp(errClosed)
	})
}
