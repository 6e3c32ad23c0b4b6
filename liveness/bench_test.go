package liveness

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// BenchmarkSocket measures requests through a real socket, one at a time and in batches, and beside each, in the
// same run, as many bytes through a server that only sends them back: x-echo is how often as long ours takes.
func BenchmarkSocket(b *testing.B) {
	for _, batch := range []int{1, 64} {
		b.Run(fmt.Sprintf("check/batch=%d", batch), func(b *testing.B) {
			s := serve(b)
			k := s.dial()
			request := checking("1914", k.mark("1914"))
			s.eventually(func() bool { return k.ask(request).OK }, "confirmed")
			compare(b, k, batch, func(send []byte, _ uint64) []byte { return append(append(send, request...), '\n') })
		})
		b.Run(fmt.Sprintf("mark+clear/batch=%d", batch), func(b *testing.B) {
			k := serve(b).dial()
			compare(b, k, batch, func(send []byte, i uint64) []byte {
				return fmt.Appendf(send, "%s\n%s\n", marking("1914"), clearing("1914", i+1))
			})
		})
	}
}

// compare sends batches of what add appends for the i-th time, waits for the replies, and does the same with the
// echo. Ns/op is of one that was added, through the watchdog.
func compare(b *testing.B, k *talk, batch int, add func(send []byte, i uint64) []byte) {
	b.Helper()
	bare := echo(b)
	back := make([]byte, 1<<16)
	require.NoError(b, k.conn.SetReadDeadline(time.Time{}))
	var ours, theirs time.Duration
	var send []byte
	total := uint64(0)
	for b.Loop() {
		send = send[:0]
		for range batch {
			send = add(send, total)
			total++
		}
		lines := bytes.Count(send, []byte("\n"))
		began := time.Now()
		if _, err := k.conn.Write(send); err != nil {
			b.Fatal(err)
		}
		for range lines {
			line, err := k.in.ReadSlice('\n')
			if err != nil || !bytes.HasPrefix(line, []byte(`{"ok":true`)) {
				b.Fatalf("%s, %v", line, err)
			}
		}
		replied := time.Now()
		if _, err := bare.Write(send); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(bare, back[:len(send)]); err != nil {
			b.Fatal(err)
		}
		ours += replied.Sub(began)
		theirs += time.Since(replied)
	}
	b.ReportMetric(float64(ours.Nanoseconds())/float64(total), "ns/op")
	b.ReportMetric(float64(theirs.Nanoseconds())/float64(total), "echo-ns/op")
	b.ReportMetric(float64(ours)/float64(theirs), "x-echo")
}

// echo is a connection to a server that sends back what it reads.
func echo(b *testing.B) net.Conn {
	b.Helper()
	path := filepath.Join(folder(b), "e")
	l, err := net.Listen("unix", path)
	require.NoError(b, err)
	defer l.Close()
	near, err := net.Dial("unix", path)
	require.NoError(b, err)
	far, err := l.Accept()
	require.NoError(b, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 1<<16)
		for {
			n, err := far.Read(buf)
			if err != nil {
				return
			}
			if _, err := far.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	b.Cleanup(func() {
		near.Close()
		<-ended
		far.Close()
	})
	return near
}

// BenchmarkRegistry measures the registry alone, with many ownerships in it.
func BenchmarkRegistry(b *testing.B) {
	const many = 100_000
	w := newWorld(b)
	w.Registry = NewRegistry(Config{Lease: lease, Hold: holds, Grace: grace, Rules: rules{}, Observer: w.seen,
		Limits:  Limits{PerSession: 1000, Total: 3 * many, Remembered: many},
		Enabled: func() bool { return true }}, 0, protocol.MaxToken)
	var p *peer
	for i := range many {
		if i%1000 == 0 {
			p = w.connect(1000)
		}
		p.mark(fmt.Sprint(i), "1", "")
	}
	p = w.connect(1000)
	b.Run("mark+clear", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			reply := p.mark("new", "1", "")
			if reply.Err != nil {
				b.Fatal(reply.Err)
			}
			p.clear("new", reply.Token)
		}
	})
	b.Run("check", func(b *testing.B) {
		token := p.mark("checked", "1", "").Token
		if code(p.check("checked", token)) != "ok" {
			b.Fatal("not confirmed")
		}
		b.ReportAllocs()
		for b.Loop() {
			w.Check(p.Session, w.at, &protocol.Request{Job: "checked", Token: token})
		}
	})
	b.Run("beat", func(b *testing.B) {
		for b.Loop() {
			w.Touch(p.Session, w.at)
		}
	})
	b.Run("sweep", func(b *testing.B) {
		for b.Loop() {
			w.Sweep(w.at)
		}
	})
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			w.Count(w.at)
		}
	})
	b.Run("look/batch=500", func(b *testing.B) {
		jobs := make([]watchdog.Job, 0, 500)
		for i := range 500 {
			jobs = append(jobs, w.row(fmt.Sprint(i), "1"))
		}
		for b.Loop() {
			w.Look(w.instant(), jobs)
		}
	})
}
