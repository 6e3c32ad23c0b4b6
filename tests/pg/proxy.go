package pg

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy forwards TCP connections until it is told to be slow, silent or rude. It knows nothing of PostgreSQL.
type Proxy struct {
	Addr string // host:port

	target   string
	listener net.Listener
	mu       sync.Mutex
	changed  *sync.Cond // silent or closed changed
	silent   bool
	closed   bool
	delay    time.Duration
	cutAt    []byte
	cutWhen  Moment
	conns    map[net.Conn]bool
}

// NewProxy listens on loopback and forwards to target. It ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("start a proxy: %v", err)
	}
	p := &Proxy{Addr: listener.Addr().String(), target: target, listener: listener, conns: map[net.Conn]bool{}}
	p.changed = sync.NewCond(&p.mu)
	go p.accept()
	t.Cleanup(p.close)
	return p
}

// Silence turns the proxy into a black hole: connections stay, are even accepted, and nothing passes.
func (p *Proxy) Silence() { p.set(func() { p.silent = true }) }

// Resume ends a silence: what was held back passes.
func (p *Proxy) Resume() { p.set(func() { p.silent = false }) }

// Delay holds back every packet, in both directions, for d; 0 ends it.
func (p *Proxy) Delay(d time.Duration) { p.set(func() { p.delay = d }) }

// Reset breaks every connection with a TCP reset. New ones are accepted.
func (p *Proxy) Reset() {
	p.set(func() {
		for c := range p.conns {
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	})
}

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.changed.Broadcast()
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.set(func() { p.closed = true })
	p.Reset()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.serve(client)
	}
}

func (p *Proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.set(func() { p.conns[client], p.conns[server] = true, true })
	var both sync.WaitGroup
	cut := make(chan struct{}, 1) // the server's next answer is not to be passed on
	both.Go(func() {
		p.forward(server, client, func(packet []byte) bool {
			when, now := p.cuts(packet)
			if now && when == After {
				cut <- struct{}{}
			}
			return now && when == Before
		})
	})
	both.Go(func() {
		p.forward(client, server, func([]byte) bool {
			select {
			case <-cut:
				return true
			default:
				return false
			}
		})
	})
	both.Wait()
	p.set(func() { delete(p.conns, client); delete(p.conns, server) })
}

// forward copies one direction, until a packet is one to be cut at, and closes both ends when it is over, unless the proxy is silent: a black hole
// tells nobody that the other side hung up.
func (p *Proxy) forward(to, from net.Conn, cut func(packet []byte) bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		time.Sleep(p.wait())
		if n > 0 && cut(buffer[:n]) {
			p.sever(to, from)
			return
		}
		if n > 0 {
			_, _ = to.Write(buffer[:n])
		}
		if err != nil {
			_ = to.Close()
			_ = from.Close()
			return
		}
	}
}

// wait returns when the proxy is not silent, with the delay that then holds.
func (p *Proxy) wait() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.silent && !p.closed {
		p.changed.Wait()
	}
	return p.delay
}
