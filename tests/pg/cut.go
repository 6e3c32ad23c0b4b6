package pg

import (
	"bytes"
	"net"
)

// Moment is when a connection is cut.
type Moment int

const (
	Before Moment = iota // the server has not seen what was sent
	After                // the server has answered, and nobody was told
)

// Cut breaks the next connection on which a client sends the text, such as COMMIT, with a reset. An empty text
// breaks none.
func (p *Proxy) Cut(text string, when Moment) {
	p.set(func() { p.cutAt, p.cutWhen = []byte(text), when })
}

// HalfClose ends what comes to both ends of every connection. What they send still passes.
func (p *Proxy) HalfClose() {
	p.set(func() {
		for c := range p.conns {
			_ = c.(*net.TCPConn).CloseWrite()
		}
	})
}

// cuts reports whether the packet of a client is one to be cut at, and when. Only the first is.
func (p *Proxy) cuts(packet []byte) (Moment, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.cutAt) == 0 || !bytes.Contains(packet, p.cutAt) {
		return 0, false
	}
	p.cutAt = nil
	return p.cutWhen, true
}

// sever resets both ends of a connection.
func (p *Proxy) sever(ends ...net.Conn) {
	for _, c := range ends {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
}
