package liveness

import (
	"sync"
	"time"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

const (
	// writeWithin is how long a peer may take to read before it is hung up on, and at least; a deadline is kept for a
	// second before it is set anew, which takes longer than a reply.
	writeWithin = 5 * time.Second
	writeAnew   = time.Second
	// outboxMax is how many bytes may wait for a peer, which is reached only by revoking very many jobs of
	// one that does not read.
	outboxMax = 16 << 20
	// outboxKeep is how much of an emptied buffer is kept for the next replies.
	outboxKeep = 16 << 10
)

// outbox is the order in which a peer is told things: what is put in first leaves first, whoever put it in.
type outbox struct {
	stream Stream
	flush  func() // has Flush called soon, by another goroutine

	mu      sync.Mutex
	buf     []byte
	asked   bool // flush was called and Flush has not begun
	dropped bool

	writing  sync.Mutex
	spare    []byte // guarded by writing, as the deadline is
	deadline time.Time
}

// Tell queues an event and sees to it that it leaves. It does not block.
func (o *outbox) Tell(e protocol.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.put(e.Append(o.buf)); !o.asked {
		o.asked = true
		o.flush()
	}
}

// Reply queues a reply; the caller calls Flush when there is nothing more to answer, or when there is much to be
// sent: a peer that asks and does not read must not make the replies pile up.
func (o *outbox) Reply(r *protocol.Reply) (much bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.put(r.Append(o.buf))
	return len(o.buf) >= outboxKeep
}

func (o *outbox) put(buf []byte) {
	if o.dropped || len(buf) > outboxMax {
		o.dropped, o.buf = true, nil
		return
	}
	o.buf = buf
}

// Flush writes what is queued. What is queued meanwhile has a Flush of its own to come. A peer that cannot be written to,
// or did not read in time, is hung up on.
func (o *outbox) Flush() {
	o.writing.Lock()
	defer o.writing.Unlock()
	out, dropped := o.take()
	if !dropped && len(out) > 0 && o.write(out) != nil {
		o.drop()
		dropped = true
	}
	if dropped {
		hangUp(o.stream)
	}
	if cap(out) <= outboxKeep {
		o.spare = out[:0]
	}
}

// take returns what is queued, and leaves the spare buffer in its place.
func (o *outbox) take() (out []byte, dropped bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = false
	out, o.buf, o.spare = o.buf, o.spare, nil
	return out, o.dropped
}

func (o *outbox) write(out []byte) error {
	if at := time.Now(); o.deadline.Before(at.Add(writeWithin)) {
		o.deadline = at.Add(writeWithin + writeAnew)
		if err := o.stream.SetWriteDeadline(o.deadline); err != nil {
			return err
		}
	}
	_, err := o.stream.Write(out)
	return err
}

// drop gives up telling the peer anything.
func (o *outbox) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropped, o.buf = true, nil
}

// hangUp ends a connection in both directions without closing it. Nothing more can be sent on it by anybody,
// and whoever reads or writes is woken, but what was sent before can still be read: a peer that sent its clear
// and did not stay for the reply has cleared. An error says that the connection has ended already.
func hangUp(stream Stream) {
	_ = stream.CloseRead()
	_ = stream.CloseWrite()
}
