package liveness

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// Controls is what the socket can do to the reaper.
type Controls interface {
	// Describe returns the members of the status reply, as JSON without braces.
	Describe() []byte
	Switch(on bool, by string)
	ReleaseBrake(by string)
}

// Server serves the protocol. Its fields are set before Run and not changed.
type Server struct {
	Registry    *Registry
	State       *State
	Rows        Rows
	Controls    Controls
	Boot        func() time.Duration // CLOCK_BOOTTIME
	Connections int                  // at most
	AllowedUIDs []int                // empty: whom the socket's mode lets in
	Log         *slog.Logger
	Audit       *slog.Logger

	asker *asker
	group sync.WaitGroup
	named atomic.Uint64

	mu    sync.Mutex
	conns map[*conn]struct{} // until their process is no longer of interest
	open  int                // those whose connection stands
}

// lookEvery is how often the socket's file and the state file are looked at.
const lookEvery = 2 * time.Second

// Run accepts and serves until ctx ends or the socket fails, and returns when every connection has ended.
// It leaves the socket to be closed by the caller.
func (s *Server) Run(ctx context.Context, socket *Socket) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.conns = make(map[*conn]struct{})
	s.asker = newAsker(s.Rows, s.Registry, s.Log, s.audit)
	s.group.Go(func() { s.asker.run(ctx) })
	s.group.Go(func() { s.sweep(ctx) })
	s.acceptFrom(ctx, socket)
	s.guard(ctx, socket)
	err := socket.listener.Close()
	s.hangUp()
	s.group.Wait()
	s.audit()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// acceptFrom begins to accept from the socket's listener of now.
func (s *Server) acceptFrom(ctx context.Context, socket *Socket) {
	listener := socket.listener
	s.group.Go(func() { s.accept(ctx, listener) })
}

func (s *Server) accept(ctx context.Context, listener *net.UnixListener) {
	for {
		nc, err := listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of descriptors, most likely: those who are connected are not to suffer for it.
			s.Log.Error("accept connection", "error", err)
			if !pause(ctx, 100*time.Millisecond) {
				return
			}
			continue
		}
		s.admit(ctx, nc)
	}
}

func (s *Server) admit(ctx context.Context, nc *net.UnixConn) {
	w, err := identify(nc)
	if err != nil {
		s.Log.Warn("a peer could not be identified and was hung up on", "error", err)
		nc.Close()
		return
	}
	c := s.newConn(nc, w)
	switch {
	case len(s.AllowedUIDs) > 0 && !slices.Contains(s.AllowedUIDs, w.peer.UID):
		s.turnAway(c, protocol.Forbidden, "this user is not among WATCHDOG_SOCKET_ALLOWED_UIDS")
	case !s.enter(ctx, c):
		s.turnAway(c, protocol.Overloaded, "too many connections")
	}
}

func (s *Server) newConn(nc *net.UnixConn, w witness) *conn {
	c := &conn{srv: s, nc: nc, peer: w.peer, pidfd: w.pidfd, exit: make(chan struct{}), done: make(chan struct{})}
	c.name = strconv.FormatInt(int64(s.Boot()/time.Microsecond), 36) + "-" + strconv.FormatUint(s.named.Add(1), 36)
	c.out.conn = nc
	c.out.flush = func() { s.group.Go(c.out.Flush) }
	c.peer.Tell = c.out.Tell
	c.gone = w.gone
	return c
}

// turnAway tells a peer why it is not let in. It does not wait for it to read that.
func (s *Server) turnAway(c *conn, code protocol.Code, why string) {
	s.Log.Warn("a connection was turned away: "+why, "uid", c.peer.UID, "pid", c.peer.PID)
	c.out.Reply(&protocol.Reply{Err: &protocol.Error{Code: code, Message: why}})
	c.out.Flush()
	c.nc.Close()
	c.release()
}

// enter begins to serve the connection, if there is room for it.
func (s *Server) enter(ctx context.Context, c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil || s.open >= s.Connections && !s.makeRoom() {
		return false
	}
	c.session = s.Registry.Connect(s.Boot(), c.peer)
	s.conns[c] = struct{}{}
	s.open++
	if c.gone {
		c.watched = true
		s.group.Go(c.exited)
	}
	s.group.Go(func() {
		c.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
		s.dismiss(c)
	})
	return true
}

// makeRoom hangs up on a connection that owns nothing and has not been heard of for a lease: who opens
// connections and says nothing must not keep others out.
func (s *Server) makeRoom() bool {
	at := s.Boot()
	for c := range s.conns {
		if !c.evicted && s.Registry.Idle(c.session, at) {
			c.evicted = true
			c.nc.Close()
			return true
		}
	}
	return false
}

// dismiss forgets a connection that has ended, unless the exit of its process still matters.
func (s *Server) dismiss(c *conn) {
	if c.watched && s.Registry.Watched(c.session) {
		return
	}
	delete(s.conns, c)
	if err := c.release(); err != nil {
		s.Log.Warn("close pidfd", "error", err)
	}
}

// sweep lapses leases as long as there are any.
func (s *Server) sweep(ctx context.Context) {
	for pause(ctx, cmp.Or(s.Registry.TickEvery(), lookEvery)) {
		s.Registry.Sweep(s.Boot())
		s.audit()
		s.mu.Lock()
		for c := range s.conns {
			select {
			case <-c.done:
				s.dismiss(c)
			default:
			}
		}
		s.mu.Unlock()
	}
}

// guard sees to it that the socket's file and the state file are there, until ctx ends.
func (s *Server) guard(ctx context.Context, socket *Socket) {
	for pause(ctx, lookEvery) {
		if !socket.Ours() {
			err := socket.Again(ctx)
			s.Log.Warn("the socket's file was removed or replaced", "path", socket.path, "made_again", err == nil, "error", err)
			if err == nil {
				s.acceptFrom(ctx, socket)
			}
		}
		if s.State.Stale() {
			if err := s.State.Rewrite(func() []Hold { return s.Registry.Holds(s.Boot()) }); err != nil {
				s.Log.Error("the state file could not be written", "error", err)
			}
		}
	}
}

// reserve sees to it that there are tokens for the marks to come.
func (s *Server) reserve() {
	last, _ := s.Registry.Tokens()
	bound, err := s.State.Reserve(last)
	if err != nil {
		s.Log.Error("tokens could not be reserved; marks will be unavailable", "error", err)
		return
	}
	s.Registry.Extend(bound)
}

func (s *Server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.nc.Close()
		c.release()
	}
}

// audit writes down the endings that nobody asked for.
func (s *Server) audit() {
	for _, e := range s.Registry.Endings() {
		s.Audit.Info("ownership ended", "job", e.Job, "run", e.Run, "reason", e.Reason, "owner", e.Name, "pid", e.PID)
	}
}

// pause waits and is false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
