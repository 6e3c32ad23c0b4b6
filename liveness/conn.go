package liveness

import (
	"bytes"
	"time"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// How much is read at once: at least, and without a line that is longer.
const (
	readLeast = 512
	readMost  = 8 << 10
)

// conn is one connection. Its reader owns all fields that have no lock of their own.
type conn struct {
	srv     *Server
	stream  Stream
	peer    Peer
	name    string // of the session, for the peer
	session *Session
	out     outbox
	parser  protocol.Parser
	buf     []byte        // what was read of lines that are not whole yet
	streak  int           // bytes since there was last nothing more to read
	at      time.Duration // when what is being answered was received: all that its sender knew was so before

	process Process
	watched bool
	evicted bool          // guarded by the server's lock
	exit    chan struct{} // closed when the process has exited
	done    chan struct{} // closed when everything that the peer sent was applied
}

// serve reads and answers until the connection ends.
func (c *conn) serve() {
	defer close(c.done)
	defer c.stream.Close()
	for c.read() {
	}
	c.srv.Registry.Hangup(c.session, c.srv.Boot())
}

// read takes in what the peer sent and is false at the end.
func (c *conn) read() bool {
	if len(c.buf) == cap(c.buf) {
		c.resize(max(readLeast, 2*cap(c.buf)))
	}
	n, err := c.stream.Read(c.buf[len(c.buf):cap(c.buf)])
	c.at = c.srv.Boot()
	c.buf = c.buf[:len(c.buf)+n]
	full := len(c.buf) == cap(c.buf)
	more := c.lines()
	c.out.Flush()
	c.courtesy(c.at, n, full)
	if size := readSize(cap(c.buf), n, len(c.buf)); size != cap(c.buf) {
		c.resize(size)
	}
	return more && err == nil
}

// readSize is how large the buffer is to be, of which n bytes were read and so many are of a line that is not whole: one
// who pipelines costs fewer calls of the kernel, one who does not little memory.
func readSize(size, n, left int) int {
	switch {
	case n+left >= size:
		return max(size, min(2*size, readMost))
	case n+left <= readLeast/2:
		return readLeast
	}
	return size
}

func (c *conn) resize(size int) { c.buf = append(make([]byte, 0, size), c.buf...) }

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
// that would be recovered.
func (c *conn) watch() {
	if c.watched || c.process == nil {
		return
	}
	c.watched = true
	c.srv.group.Go(func() {
		if c.process.AwaitExit() {
			c.exited()
		}
		c.process.Close()
	})
}

// exited is called when the peer's process has exited. A child of it may hold the same socket and neither
// read nor stop writing: hung up on, the reader comes to the end of what was sent until now.
func (c *conn) exited() {
	close(c.exit)
	hangUp(c.stream)
	<-c.done
	c.srv.Registry.Died(c.session, c.srv.Boot())
}

// release ends the wait for the peer's exit.
func (c *conn) release() error {
	if c.process == nil {
		return nil
	}
	return c.process.Close()
}
