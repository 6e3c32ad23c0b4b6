package client

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

const (
	defaultLease = 15 * time.Second
	maxSpan      = 1e9 * time.Second // of the protocol
	connectLimit = 2 * time.Second   // for a connection and the answer to hello
	maxReply     = 64 << 10          // bytes in one line of the watchdog
)

// session is one connection on which the watchdog said hello.
type session struct {
	conn  net.Conn
	lines *bufio.Scanner // of the goroutine that reads
	lease time.Duration
	beat  time.Duration

	refusal error // to be logged; of the goroutine that reads

	// Guarded by Client.mu.
	asked      []request     // sent and not answered, oldest first
	lastID     uint64        // of a request
	leaseUntil time.Duration // boot clock
	doubtful   bool          // its lease lapsed, and nothing was read since
	silent     bool          // a caller waited in vain, and nothing was read since
	beatDue    bool
	early      map[uint64]string // tokens that were revoked before the reply that gives them: why
}

// request is one that waits for its reply.
type request struct {
	op    protocol.Op
	id    uint64
	of    *Ownership    // nil: of a beat
	check *check        // of a check
	sent  time.Duration // boot clock, before it was written
}

// connect opens a connection and says hello on it.
func (c *Client) connect(ctx context.Context) (*session, error) {
	limited, cancel := context.WithTimeoutCause(ctx, connectLimit, errLate)
	defer cancel()
	conn, err := c.dial(limited)
	if err != nil {
		return nil, err // it says what was dialled
	}
	stop := context.AfterFunc(limited, func() { conn.Close() })
	s, err := c.hello(conn)
	if !stop() {
		err = context.Cause(limited)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("say hello: %w", err)
	}
	return s, nil
}

func (c *Client) hello(conn net.Conn) (*session, error) {
	s := &session{conn: conn, lines: bufio.NewScanner(conn)}
	s.lines.Buffer(make([]byte, 0, 1024), maxReply)
	r := protocol.Request{Op: protocol.OpHello, Version: protocol.Version, Name: clean(c.options.Name),
		Lease: min(c.options.Lease, maxSpan)}
	sent := c.clock()
	if _, err := conn.Write(r.Append(nil)); err != nil {
		return nil, err
	}
	if !s.lines.Scan() {
		return nil, s.end()
	}
	m, err := protocol.ParseMessage(s.lines.Bytes())
	switch {
	case err != nil:
		return nil, err
	case !m.OK:
		return nil, refused(m)
	case m.LeaseS <= 0:
		return nil, errLeaseless
	}
	s.lease = max(span(m.LeaseS), time.Second)
	s.beat = max(span(m.BeatS), 100*time.Millisecond)
	if m.BeatS <= 0 || s.beat >= s.lease {
		s.beat = s.lease / 3
	}
	s.leaseUntil = sent + s.lease
	return s, nil
}

// marking reports whether the reply to a mark is to come.
func (s *session) marking() bool {
	return slices.ContainsFunc(s.asked, func(r request) bool { return r.op == protocol.OpMark })
}

// forgetEarly forgets the events that came early once no reply can be late.
func (s *session) forgetEarly() {
	if s.early != nil && !s.marking() {
		s.early = nil
	}
}

// end is why there are no more lines.
func (s *session) end() error {
	if err := s.lines.Err(); err != nil {
		return err
	}
	return io.EOF
}

func span(seconds float64) time.Duration {
	return time.Duration(max(0, min(seconds, maxSpan.Seconds())) * float64(time.Second))
}

// refused is a reply that is an error, as one.
func refused(m protocol.Message) error {
	return &protocol.Error{Code: m.Error, Field: m.Field, Message: m.Text}
}
