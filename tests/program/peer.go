package program

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

const peerVariable = "PEER_OF_SOCKET"

// PeerEnv is the environment in which a test binary is a peer of the socket.
func PeerEnv(socket string) []string { return []string{peerVariable + "=" + socket} }

// Peer is a process of its own that has connected to a watchdog. The test speaks through it, and may kill or stop
// it.
type Peer struct {
	*Process
	in    io.Writer
	lines chan string
}

// Connect starts a peer.
func Connect(t testing.TB, socket string) *Peer {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("start a peer: %v", err)
	}
	cmd := exec.Command(self)
	cmd.Env = PeerEnv(socket)
	return ConnectBy(t, cmd)
}

// ConnectBy starts a peer by a command that runs the test binary in PeerEnv.
func ConnectBy(t testing.TB, cmd *exec.Cmd) *Peer {
	t.Helper()
	in, peerIn, err := os.Pipe()
	if err != nil {
		t.Fatalf("start a peer: %v", err)
	}
	peerOut, out, err := os.Pipe()
	if err != nil {
		t.Fatalf("start a peer: %v", err)
	}
	cmd.Stdin, cmd.Stdout = in, out
	p := &Peer{Process: Start(t, cmd), in: peerIn, lines: make(chan string, 1024)}
	_, _ = in.Close(), out.Close()
	go func() {
		defer close(p.lines)
		for text := bufio.NewScanner(peerOut); text.Scan(); {
			p.lines <- text.Text()
		}
	}()
	t.Cleanup(func() { _, _ = peerIn.Close(), peerOut.Close() })
	return p
}

// bePeer copies standard input to the socket and the socket to standard output until either ends.
func bePeer(socket string) int {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, "be a peer:", err)
		return 1
	}
	ended := make(chan struct{}, 2)
	for _, way := range []struct {
		to   io.Writer
		from io.Reader
	}{{conn, os.Stdin}, {os.Stdout, conn}} {
		go func() {
			_, _ = io.Copy(way.to, way.from)
			ended <- struct{}{}
		}()
	}
	<-ended
	return 0
}

// Message is one line of the watchdog.
type Message struct {
	OK     bool    `json:"ok"`
	Error  string  `json:"error"`
	Reason string  `json:"reason"`
	Token  uint64  `json:"token"`
	HoldS  float64 `json:"hold_s"`
	Event  string  `json:"event"`
	Job    string  `json:"job"`
}

// Say sends a request, without waiting for its reply.
func (p *Peer) Say(t testing.TB, request string) {
	t.Helper()
	if _, err := io.WriteString(p.in, request+"\n"); err != nil {
		t.Fatalf("speak through the peer: %v", err)
	}
}

// Ask sends a request and returns the next line.
func (p *Peer) Ask(t testing.TB, request string) Message {
	t.Helper()
	p.Say(t, request)
	return p.Hear(t)
}

// AskRaw is Ask for a reply that no Message can hold.
func (p *Peer) AskRaw(t testing.TB, request string) string {
	t.Helper()
	p.Say(t, request)
	return p.line(t)
}

// Hear returns the next line, a reply or an event.
func (p *Peer) Hear(t testing.TB) Message {
	t.Helper()
	var m Message
	line := p.line(t)
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("hear the watchdog: %v: %s", err, line)
	}
	return m
}

func (p *Peer) line(t testing.TB) string {
	t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			t.Fatal("the watchdog hung up on the peer")
		}
		return line
	case <-time.After(Patience):
		t.Fatal("the watchdog says nothing")
		return ""
	}
}
