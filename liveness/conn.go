package liveness

import (
	"bytes"
	"errors"
	"net"
	"os"
	"time"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// conn is one connection. Its reader owns all fields that have no lock of their own.
type conn struct {
	srv     *Server
	nc      net.Conn
	peer    Peer
	name    string // of the session, for the peer
	session *Session
	out     outbox
	buf     []byte // what was read of lines that are not whole yet

	pidfd   *os.File
	gone    bool // the process had exited before it was looked at
	watched bool
	evicted bool          // guarded by the server's lock
	exit    chan struct{} // closed when the process has exited
	done    chan struct{} // closed when everything that the peer sent was applied
}

// serve reads and answers until the connection ends or the peer's process exits.
func (c *conn) serve() {
	defer close(c.done)
	defer c.nc.Close()
	defer c.out.Flush()
	for c.read() {
	}
	select {
	case <-c.exit:
		if unix, ok := c.nc.(*net.UnixConn); ok {
			drain(unix, c.feed)
		}
	default:
		c.srv.Registry.Hangup(c.session, c.srv.Boot())
	}
}

// read takes in what the peer sent and is false at the end.
func (c *conn) read() bool {
	if len(c.buf) == cap(c.buf) {
		c.buf = append(c.buf, make([]byte, max(512, len(c.buf)))...)[:len(c.buf)]
	}
	n, err := c.nc.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	more := c.lines()
	c.out.Flush()
	return more && err == nil
}

// feed takes in bytes that were read elsewhere.
func (c *conn) feed(more []byte) bool {
	c.buf = append(c.buf, more...)
	return c.lines()
}

// lines answers the whole lines that were read and is false when the connection has to end.
func (c *conn) lines() bool {
	rest := c.buf
	for {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			break
		}
		if !c.answer(rest[:end]) {
			return false
		}
		rest = rest[end+1:]
	}
	if len(rest) > protocol.MaxLine {
		c.out.Reply(&protocol.Reply{Err: protocol.ErrTooLong()})
		return false
	}
	c.buf = c.buf[:copy(c.buf, rest)]
	return true
}

// watch begins to wait for the exit of the peer's process; it does so once, when there is first something
// that would be recovered. A reader that waits for the peer's next line is woken to read what is left.
func (c *conn) watch() {
	if c.watched || c.pidfd == nil {
		return
	}
	c.watched = true
	c.srv.group.Go(func() {
		if awaitExit(c.pidfd) {
			c.exited()
		}
		c.pidfd.Close()
	})
}

func (c *conn) exited() {
	close(c.exit)
	// A deadline in the past; an error says that the reader needs no waking.
	_ = c.nc.SetDeadline(time.Unix(1, 0))
	<-c.done
	c.srv.Registry.Died(c.session, c.srv.Boot())
}

// release ends the wait for the peer's exit.
func (c *conn) release() error {
	if c.pidfd == nil {
		return nil
	}
	if err := c.pidfd.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
