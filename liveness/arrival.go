package liveness

import (
	"io"
	"time"
)

// Arrival is a peer that has connected. Serve takes in those of any transport; Run those of a Socket.
type Arrival struct {
	Stream  Stream
	Peer    Peer    // its Tell is set by the server
	Process Process // nil: nothing would prove the peer's death
}

// Stream is what the server needs of a connection; *net.UnixConn is one. Read and Write may be called at the
// same time, by one goroutine each, and the others by any.
type Stream interface {
	io.ReadWriteCloser
	SetWriteDeadline(t time.Time) error
	// CloseRead and CloseWrite end one direction each, and wake who waits on it. What the peer had sent before
	// can still be read.
	CloseRead() error
	CloseWrite() error
}

// Process is a peer's process, as far as its death can be learned of.
type Process interface {
	// AwaitExit blocks until the process has exited, and is false when Close was called before. It also wakes
	// for an exit that happened before the call.
	AwaitExit() bool
	// Close may be called more than once.
	Close() error
}
