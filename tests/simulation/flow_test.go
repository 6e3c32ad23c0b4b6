package simulation

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// flowLimit is how many bytes one direction of a connection holds before its writer has to wait.
const flowLimit = 8 << 10

// flow is one direction of a connection, as a Unix stream socket has it: what was written before its end can be
// read after it, a writer waits for room, and one whose reader is gone is told.
type flow struct {
	lag func() time.Duration // how long the next parcel is on its way
	tap func([]byte)         // sees what is written, when it is

	mu       sync.Mutex
	changed  *sync.Cond
	parcels  []parcel
	size     int
	arrives  time.Time // when the last parcel can be read
	deadline time.Time // of the writer
	ended    bool      // the writing end is closed
	refused  bool      // the reading end is closed for reading
	left     bool      // the reading end is closed altogether
	forsaken bool      // the reader is dead, and a child of it has the reading end open
	reset    bool      // it was closed with something unread in its other direction
}

type parcel struct {
	bytes []byte
	at    time.Time
}

func newFlow(lag func() time.Duration, tap func([]byte)) *flow {
	f := &flow{lag: lag, tap: tap}
	f.changed = sync.NewCond(&f.mu)
	return f
}

func (f *flow) write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	written := 0
	for {
		late := !f.deadline.IsZero() && !time.Now().Before(f.deadline)
		switch room := flowLimit - f.size; {
		case f.ended:
			return written, net.ErrClosed
		case f.refused || f.left:
			return written, syscall.EPIPE
		case late:
			return written, os.ErrDeadlineExceeded
		case len(p) == 0:
			return written, nil
		case room > 0:
			n := min(room, len(p))
			f.put(p[:n])
			written, p = written+n, p[n:]
			continue
		}
		f.waitUntil(f.deadline)
	}
}

func (f *flow) put(p []byte) {
	f.tap(p)
	if at := time.Now().Add(f.lag()); at.After(f.arrives) {
		f.arrives = at
	}
	f.parcels = append(f.parcels, parcel{append([]byte(nil), p...), f.arrives})
	f.size += len(p)
	f.changed.Broadcast()
}

// waitUntil waits for a change, or until the instant if there is one. The caller holds mu.
func (f *flow) waitUntil(at time.Time) {
	if !at.IsZero() {
		timer := time.AfterFunc(time.Until(at), func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.changed.Broadcast()
		})
		defer timer.Stop()
	}
	f.changed.Wait()
}

// read reads on behalf of somebody who may be stopped.
func (f *flow) read(p []byte, reader *gate) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.left, f.forsaken:
			return 0, net.ErrClosed
		case len(f.parcels) > 0:
			wait := time.Until(f.parcels[0].at)
			if wait <= 0 && !reader.stopped() {
				return f.take(p), nil
			}
			f.mu.Unlock()
			time.Sleep(wait)
			if reader.stopped() { // and goes on in no order
				reader.wait()
				time.Sleep(20 * f.lag())
			}
			f.mu.Lock()
		case f.reset:
			return 0, syscall.ECONNRESET
		case f.ended || f.refused:
			return 0, io.EOF
		default:
			f.changed.Wait()
		}
	}
}

func (f *flow) take(p []byte) int {
	first := &f.parcels[0]
	n := copy(p, first.bytes)
	if first.bytes = first.bytes[n:]; len(first.bytes) == 0 {
		f.parcels = f.parcels[1:]
	}
	f.size -= n
	f.changed.Broadcast()
	return n
}

// set changes something about the flow and wakes who waits on it.
func (f *flow) set(change func(*flow)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
	f.changed.Broadcast()
}

func (f *flow) unread() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.parcels) > 0
}

// end is one end of a connection. It is a liveness.Stream, and with the addresses of client.go a net.Conn.
type end struct {
	in, out *flow
	gate    *gate // of whoever has it
}

func (e *end) Read(p []byte) (int, error) { return e.in.read(p, e.gate) }

func (e *end) Write(p []byte) (int, error) { return e.out.write(p) }

func (e *end) SetWriteDeadline(t time.Time) error {
	e.out.set(func(f *flow) { f.deadline = t })
	return nil
}

func (e *end) CloseRead() error {
	e.in.set(func(f *flow) { f.refused = true })
	return nil
}

func (e *end) CloseWrite() error {
	e.out.set(func(f *flow) { f.ended = true })
	return nil
}

func (e *end) Close() error {
	reset := e.in.unread()
	e.in.set(func(f *flow) { f.left = true })
	e.out.set(func(f *flow) { f.ended, f.reset = true, f.reset || reset })
	return nil
}
