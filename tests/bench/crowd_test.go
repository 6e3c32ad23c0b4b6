package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asker is one connection that marks and clears jobs of its own.
type asker struct {
	conn   net.Conn
	in     *bufio.Reader
	first  int // its jobs are those from here on
	depth  int // requests under way at once
	send   []byte
	tokens []uint64
}

// askers load a server from one process.
type askers []*asker

func crowd(t *testing.T, socket string, connections, depth int) askers {
	t.Helper()
	all := make(askers, connections)
	for i := range all {
		conn, err := net.Dial("unix", socket)
		require.NoError(t, err)
		all[i] = &asker{conn: conn, in: bufio.NewReaderSize(conn, 16<<10), first: i*depth + 1, depth: depth, tokens: make([]uint64, depth)}
	}
	return all
}

func (c askers) leave() {
	for _, a := range c {
		_ = a.conn.Close()
	}
}

// run has all ask for a span and returns how many requests were answered a second.
func (c askers) run(t *testing.T, span time.Duration) float64 {
	t.Helper()
	answered, errs := make([]int, len(c)), make([]error, len(c))
	began := time.Now()
	until := began.Add(span)
	var all sync.WaitGroup
	for i, a := range c {
		all.Go(func() {
			for errs[i] == nil && (answered[i] == 0 || time.Now().Before(until)) {
				errs[i] = a.both()
				answered[i] += 2 * a.depth
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	sum := 0
	for i := range c {
		require.NoError(t, errs[i])
		sum += answered[i]
	}
	return float64(sum) / took.Seconds()
}

// both marks the connection's jobs and clears them.
func (a *asker) both() error {
	a.send = a.send[:0]
	for i := range a.depth {
		a.send = fmt.Appendf(a.send, "{\"op\":\"mark\",\"job\":%d,\"run\":%[1]d,\"stage\":\"deploy-staging\"}\n", a.first+i)
	}
	if err := a.ask(); err != nil {
		return err
	}
	a.send = a.send[:0]
	for i, token := range a.tokens {
		a.send = fmt.Appendf(a.send, "{\"op\":\"clear\",\"job\":%d,\"token\":%d}\n", a.first+i, token)
	}
	return a.ask()
}

// ask sends what there is to send and reads as many lines, with the tokens in them. An echo has none.
func (a *asker) ask() error {
	if _, err := a.conn.Write(a.send); err != nil {
		return err
	}
	for i := range a.depth {
		reply, err := a.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if bytes.HasPrefix(reply, []byte(`{"ok":false`)) {
			return fmt.Errorf("it was refused: %s", reply)
		}
		_, token, _ := bytes.Cut(reply, []byte(`"token":`))
		digits, _, _ := bytes.Cut(token, []byte("}"))
		a.tokens[i], _ = strconv.ParseUint(string(digits), 10, 64)
	}
	return nil
}
