package liveness

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
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

	extended atomic.Uint64 // the tokens' bound that the registry is known to have

	polite atomic.Int64  // when somebody was last served that does not flood, on the boot clock
	flood  chan struct{} // holds one: those that do wait in one line

	mu      sync.Mutex
	conns   map[*conn]struct{} // whose connection stands
	parted  map[*conn]struct{} // that hung up, and whose process is watched
	crowded time.Duration      // when somebody to hang up on was last looked for in vain
}

// lookEvery is how often the socket's file and the state file are looked at.
const lookEvery = 2 * time.Second

// Run accepts and serves until ctx ends or the socket fails, and returns when every connection has ended.
// It leaves the socket to be closed by the caller.
func (s *Server) Run(ctx context.Context, socket *Socket) error {
	return s.run(ctx, func(ctx context.Context) error {
		s.acceptFrom(ctx, socket)
		s.guard(ctx, socket)
		if err := socket.listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
}

// Serve is Run for peers that come by another way than a Socket, whoever vouches for them.
func (s *Server) Serve(ctx context.Context, arrivals <-chan Arrival) error {
	return s.run(ctx, func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case a := <-arrivals:
				s.admit(ctx, a)
			}
		}
	})
}

// run serves whom let admits, until let returns.
func (s *Server) run(ctx context.Context, let func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.conns, s.parted = make(map[*conn]struct{}), make(map[*conn]struct{})
	s.flood = make(chan struct{}, 1)
	s.asker = newAsker(s.Rows, s.Registry, s.Log, s.audit)
	s.group.Go(func() { s.asker.run(ctx) })
	s.group.Go(func() { s.sweep(ctx) })
	s.group.Go(func() { s.preserve(ctx) })
	err := let(ctx)
	stop(err)
	s.hangUp()
	s.group.Wait()
	s.audit()
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
		a, err := identify(nc)
		if err != nil {
			s.Log.Warn("a peer could not be identified and was hung up on", "error", err)
			nc.Close()
			continue
		}
		s.admit(ctx, a)
	}
}

// sweep lapses leases as long as there are any.
func (s *Server) sweep(ctx context.Context) {
	for pause(ctx, cmp.Or(s.Registry.TickEvery(), lookEvery)) {
		s.Registry.Sweep(s.Boot())
		s.audit()
		s.mu.Lock()
		for c := range s.parted {
			s.dismiss(c)
		}
		s.mu.Unlock()
	}
}

// guard sees to it that the socket's file is there, until ctx ends.
func (s *Server) guard(ctx context.Context, socket *Socket) {
	for pause(ctx, lookEvery) {
		if !socket.Ours() {
			err := socket.Again(ctx)
			s.Log.Warn("the socket's file was removed or replaced", "path", socket.path, "made_again", err == nil, "error", err)
			if err == nil {
				s.acceptFrom(ctx, socket)
			}
		}
	}
}

// preserve sees to it that the state file is there and short, and that tokens are reserved also when no mark is granted
// for want of them, until ctx ends.
func (s *Server) preserve(ctx context.Context) {
	for pause(ctx, lookEvery) {
		if s.State.Stale() {
			if err := s.State.Rewrite(func() []Hold { return s.Registry.Holds(s.Boot()) }); err != nil {
				s.Log.Error("the state file could not be written", "error", err)
			}
		}
		last, _ := s.Registry.Tokens()
		s.reserve(last)
	}
}

// reserve sees to it that there are tokens for the marks that come after the last. Whoever finds too few does all of it:
// that another has reserved some does not say that the registry has heard of them.
func (s *Server) reserve(last uint64) {
	if enough(last, s.extended.Load()) {
		return
	}
	bound, err := s.State.Reserve(last)
	if err != nil {
		s.Log.Error("tokens could not be reserved; marks will be unavailable", "error", err)
		return
	}
	s.Registry.Extend(bound)
	s.extended.Store(bound)
}

func (s *Server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.stream.Close()
		c.release()
	}
	for c := range s.parted {
		c.release()
	}
}

// audit writes down the endings that nobody asked for.
func (s *Server) audit() {
	ended, unseen := s.Registry.Endings()
	for _, e := range ended {
		s.Audit.Info("ownership ended", e.told()...)
	}
	if unseen.Count > 0 {
		s.Log.Warn("ownerships ended whose jobs the database was never seen to hold open under their run",
			append([]any{"count", unseen.Count}, unseen.Last.told()...)...)
	}
}

func (e Ending) told() []any {
	return []any{"job", e.Job, "run", e.Run, "reason", e.Reason, "owner", e.Name, "pid", e.PID}
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
