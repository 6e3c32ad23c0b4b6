package simulation

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/liveness"
)

// life is one client process, from its start to its death.
type life struct {
	w      *world
	name   string
	uid    int
	proof  watchdog.Proof
	client *client.Client // nil: it speaks the protocol itself
	gate   *gate
	dead   atomic.Bool
	ctx    context.Context // ends when it dies
	end    context.CancelFunc
	exited chan struct{} // closed when the kernel tells of its exit

	// Guarded by the world's mutex.
	ends    []*end // of its connections
	wires   []*wire
	free    time.Duration // since when nothing has kept it from the watchdog, on its side
	died    time.Duration // 0: it lives
	noticed time.Duration // when the kernel told; 0: not yet
}

const (
	honest   = 1000
	stranger = 2000
)

// begin starts a process. The caller holds the world's mutex.
func (w *world) begin(name string, uid int, speaks bool) *life {
	l := &life{w: w, name: name, uid: uid, proof: watchdog.ProofPidfd, gate: newGate(), exited: make(chan struct{}), free: w.now()}
	if w.draw("proof")%8 == 0 {
		l.proof = watchdog.ProofNone
	}
	l.ctx, l.end = context.WithCancel(w.ctx)
	if speaks {
		l.client = client.New(client.Options{Name: name, Dial: l.dial, Boot: w.boot,
			Timeout: 50*time.Millisecond + time.Duration(w.draw("timeout")%uint64(w.settings.statement))})
	}
	w.note("process %s begins, proof %s", name, l.proof)
	w.everyone = append(w.everyone, l)
	return l
}

// dial connects to the watchdog as the kernel would: a backlog takes the connection also while the watchdog is
// stopped.
func (l *life) dial(ctx context.Context) (net.Conn, error) {
	l.gate.wait()
	w := l.w
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.watchdog
	if i == nil || l.dead.Load() || ctx.Err() != nil {
		return nil, syscall.ECONNREFUSED
	}
	c := w.witness.connects(l, i)
	lag := func() time.Duration {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.lag(l.name, 20*time.Microsecond, 200*time.Millisecond)
	}
	l.wires = append(l.wires, c)
	there, back := newFlow(lag, c.asks), newFlow(lag, c.tells)
	near := &nearEnd{end: end{in: back, out: there, gate: l.gate}, life: l, wire: c}
	far := &farEnd{end: end{in: there, out: back, gate: i.gate}, of: i, wire: c}
	l.ends, i.ends = append(l.ends, &near.end), append(i.ends, &far.end)
	a := liveness.Arrival{Stream: far, Peer: liveness.Peer{UID: l.uid, PID: os.Getpid(), Proof: l.proof}}
	if l.proof != watchdog.ProofNone {
		a.Process = &exit{of: l, closed: make(chan struct{})}
	}
	select {
	case i.arrivals <- a:
		return near, nil
	default:
		return nil, syscall.EAGAIN
	}
}

// die ends the process as SIGKILL does. The kernel closes its descriptors, unless a child has inherited them, and
// tells of the exit after the notice.
func (l *life) die(notice time.Duration, heir bool) {
	w := l.w
	w.mu.Lock()
	if l.dead.Swap(true) {
		w.mu.Unlock()
		return
	}
	l.died = w.now()
	w.note("process %s dies, notice after %v, heir %t", l.name, notice, heir)
	ends := l.ends
	for _, c := range l.wires {
		if c.ended == 0 && !heir {
			c.ended = w.now()
		}
	}
	w.mu.Unlock()
	l.gate.set(false)
	l.end()
	for _, e := range ends {
		if heir {
			e.in.set(func(f *flow) { f.forsaken = true })
		} else {
			e.Close()
		}
	}
	w.group.Go(func() {
		w.sleep(notice)
		w.mu.Lock()
		l.noticed = w.now()
		w.mu.Unlock()
		close(l.exited)
	})
	if l.client != nil {
		w.group.Go(l.client.Close)
	}
}

// exit is what the kernel tells of a process.
type exit struct {
	of     *life
	once   sync.Once
	closed chan struct{}
}

func (e *exit) AwaitExit() bool {
	select {
	case <-e.of.exited:
		return true
	case <-e.closed:
		return false
	}
}

func (e *exit) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}

// nearEnd is the end of a client's process.
type nearEnd struct {
	end
	life *life
	wire *wire
}

func (e *nearEnd) Write(p []byte) (int, error) {
	e.life.gate.wait()
	if e.life.dead.Load() {
		return 0, fmt.Errorf("write: %w", net.ErrClosed)
	}
	return e.end.Write(p)
}

func (e *nearEnd) Close() error {
	if e.life.dead.Load() {
		return nil // the kernel has seen to it
	}
	e.wire.down("the client")
	return e.end.Close()
}

func (e *nearEnd) LocalAddr() net.Addr             { return &net.UnixAddr{} }
func (e *nearEnd) RemoteAddr() net.Addr            { return &net.UnixAddr{} }
func (e *nearEnd) SetDeadline(time.Time) error     { return nil }
func (e *nearEnd) SetReadDeadline(time.Time) error { return nil }

// farEnd is the watchdog's end.
type farEnd struct {
	end
	of   *incarnation
	wire *wire
}

func (e *farEnd) Write(p []byte) (int, error) {
	if err := e.of.before("reply"); err != nil {
		return 0, err
	}
	n, err := e.end.Write(p)
	if gone := e.of.afterwards("reply"); gone != nil {
		return n, gone
	}
	return n, err
}

func (e *farEnd) Close() error {
	e.wire.down("the watchdog")
	return e.end.Close()
}

func (e *farEnd) CloseWrite() error {
	e.wire.down("the watchdog")
	return e.end.CloseWrite()
}
