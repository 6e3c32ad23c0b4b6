package liveness

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

func (s *Server) admit(ctx context.Context, a Arrival) {
	c := s.newConn(a)
	switch {
	case len(s.AllowedUIDs) > 0 && !slices.Contains(s.AllowedUIDs, a.Peer.UID):
		s.turnAway(c, protocol.Forbidden, "this user is not among WATCHDOG_SOCKET_ALLOWED_UIDS")
	case !s.enter(ctx, c):
		s.turnAway(c, protocol.Overloaded, "too many connections")
	}
}

func (s *Server) newConn(a Arrival) *conn {
	c := &conn{srv: s, stream: a.Stream, peer: a.Peer, process: a.Process, exit: make(chan struct{}), done: make(chan struct{})}
	c.name = strconv.FormatInt(int64(s.Boot()/time.Microsecond), 36) + "-" + strconv.FormatUint(s.named.Add(1), 36)
	c.out.stream = a.Stream
	c.out.flush = func() { s.group.Go(c.out.Flush) }
	c.peer.Tell = c.out.Tell
	return c
}

// turnAway tells a peer why it is not let in. It does not wait for it to read that.
func (s *Server) turnAway(c *conn, code protocol.Code, why string) {
	s.Log.Warn("a connection was turned away: "+why, "uid", c.peer.UID, "pid", c.peer.PID)
	c.out.Reply(&protocol.Reply{Err: &protocol.Error{Code: code, Message: why}})
	c.out.Flush()
	c.stream.Close()
	c.release()
}

// enter begins to serve the connection, if there is room for it.
func (s *Server) enter(ctx context.Context, c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil || len(s.conns)+len(s.parted) >= s.Connections && !s.makeRoom() {
		return false
	}
	c.session = s.Registry.Connect(s.Boot(), c.peer)
	s.conns[c] = struct{}{}
	s.group.Go(func() {
		c.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
		s.parted[c] = struct{}{}
		s.dismiss(c)
	})
	return true
}

// lookAgain is how long after a look in vain nobody is looked for who could make room: who connects again and
// again must not have all the others counted through each time.
const lookAgain = 100 * time.Millisecond

// makeRoom lets go of somebody: who opens connections, or marks and hangs up, must not keep others out.
func (s *Server) makeRoom() bool { return s.evict() || s.unwatch() }

// evict hangs up on a connection that owns nothing and has not been heard of for a lease.
func (s *Server) evict() bool {
	at := s.Boot()
	if at < s.crowded+lookAgain {
		return false
	}
	for c := range s.conns {
		if !c.evicted && s.Registry.Idle(c.session, at) {
			c.evicted = true
			c.stream.Close()
			return true
		}
	}
	s.crowded = at
	return false
}

// unwatch lets go of the process of a peer that hung up: it was watched in case that it died before it connected again.
// Whoever that is, of its jobs its lease decides now. Most likely it is one of those who are the most.
func (s *Server) unwatch() bool {
	for c := range s.parted {
		s.Registry.Unproven(c.session)
		s.forget(c)
		return true
	}
	return false
}

// dismiss forgets a peer that hung up, unless the exit of its process still matters.
func (s *Server) dismiss(c *conn) {
	if !c.watched || !s.Registry.Watched(c.session) {
		s.forget(c)
	}
}

func (s *Server) forget(c *conn) {
	delete(s.parted, c)
	if err := c.release(); err != nil {
		s.Log.Warn("let go of a peer's process", "error", err)
	}
}
