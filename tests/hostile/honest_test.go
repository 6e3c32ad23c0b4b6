package hostile

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/protocol"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

const (
	honest = 100 // finalizers, of the jobs from 1 on
	crowd  = 400 // and twice as many that nobody honest finalizes: one crowd to be marked, one to be reaped
	pause  = 50 * time.Millisecond
)

// finalizer is an honest one: a connection of its own that beats and checks.
type finalizer struct {
	job   int
	token uint64
	conn  net.Conn
	lines *bufio.Scanner
}

func finalize(t *testing.T, socket string, job int) *finalizer {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	f := &finalizer{job: job, conn: conn, lines: bufio.NewScanner(conn)}
	m, err := f.ask(protocol.Request{Op: protocol.OpMark, Job: fmt.Sprint(job), Run: fmt.Sprint(program.FirstRun(int64(job))), Key: "honest", Stage: "deploy-staging"})
	require.NoError(t, err)
	require.True(t, m.OK, "%+v", m)
	f.token = m.Token
	return f
}

func (f *finalizer) ask(r protocol.Request) (protocol.Message, error) {
	if _, err := f.conn.Write(r.Append(nil)); err != nil {
		return protocol.Message{}, err
	}
	if !f.lines.Scan() {
		return protocol.Message{}, fmt.Errorf("hung up on: %v", f.lines.Err())
	}
	return protocol.ParseMessage(f.lines.Bytes())
}

// check asks once and tells how long that took. Everything but a yes is an error.
func (f *finalizer) check() (time.Duration, error) {
	began := time.Now()
	m, err := f.ask(protocol.Request{Op: protocol.OpCheck, Job: fmt.Sprint(f.job), Token: f.token, Hold: time.Second})
	took := time.Since(began)
	if err == nil && !m.OK {
		err = fmt.Errorf("the check of job %d was refused: %+v", f.job, m)
	}
	return took, err
}

// work has all of them beat and check for a span, and returns how long the checks took, sorted.
func work(t *testing.T, all []*finalizer, span time.Duration) []time.Duration {
	t.Helper()
	took := make([][]time.Duration, len(all))
	failed := make([]error, len(all))
	end := time.Now().Add(span)
	var group sync.WaitGroup
	for i, f := range all {
		group.Go(func() {
			time.Sleep(pause * time.Duration(i) / honest) // not all at once
			for time.Now().Before(end) && failed[i] == nil {
				if _, failed[i] = f.ask(protocol.Request{Op: protocol.OpBeat}); failed[i] != nil {
					return
				}
				var one time.Duration
				one, failed[i] = f.check()
				took[i] = append(took[i], one)
				time.Sleep(pause)
			}
		})
	}
	group.Wait()
	for _, err := range failed {
		require.NoError(t, err)
	}
	return slices.Sorted(slices.Values(slices.Concat(took...)))
}

func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100]
}
