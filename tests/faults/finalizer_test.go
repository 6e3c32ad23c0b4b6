package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/liveness"
)

// What else a finalizer is told in its environment.
const (
	databaseVariable = "FAULTS_DATABASE"
	socketVariable   = "FAULTS_SOCKET"
	clockVariable    = "FAULTS_CLOCK"
)

// toBequeath has a finalizer hand its connection to a child. One that has just started is not ready for it yet, and must
// not die of it: this signal is ignored by default.
const toBequeath = syscall.SIGWINCH

// worker is a finalizer: it claims job after job and finalizes each.
type worker struct {
	rows   *rows
	ledger ledger
	client *client.Client
	seq    int
}

// beFinalizer works until the process is killed.
func beFinalizer(path string) int {
	l, err := openLedger(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	r, err := openRows(os.Getenv(databaseVariable), os.Getenv(clockVariable))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var conn atomic.Pointer[net.UnixConn]
	w := &worker{rows: r, ledger: l, client: client.New(client.Options{Name: fmt.Sprint("finalizer-", os.Getpid()), Timeout: time.Second,
		Dial: func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			c, err := d.DialContext(ctx, "unix", os.Getenv(socketVariable))
			if err == nil {
				conn.Store(c.(*net.UnixConn))
			}
			return c, err
		}})}
	go bequeath(&conn)
	for {
		if err := w.next(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "finalizer:", err) // the database is away
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// bequeath hands the connection to a child whenever the process is told to: the child outlives it for a while.
func bequeath(conn *atomic.Pointer[net.UnixConn]) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, toBequeath)
	for range asked {
		c := conn.Load()
		if c == nil {
			continue
		}
		file, err := c.File()
		if err != nil {
			continue
		}
		heir := exec.Command("sleep", "3")
		heir.ExtraFiles = []*os.File{file}
		if heir.Start() == nil {
			go func() { _ = heir.Wait() }()
		}
		_ = file.Close()
	}
}

func TestNobodyDiesOfToBequeath(t *testing.T) {
	unready := exec.Command("sleep", "60")
	require.NoError(t, unready.Start())
	require.NoError(t, unready.Process.Signal(toBequeath))
	require.NoError(t, unready.Process.Kill())
	require.Error(t, unready.Wait())
	assert.Equal(t, syscall.SIGKILL, unready.ProcessState.Sys().(syscall.WaitStatus).Signal())
}

func (w *worker) next(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	job, run, attempt, err := w.rows.claim(ctx)
	if err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	if job == 0 {
		time.Sleep(10 * time.Millisecond)
		return nil
	}
	w.seq++
	e := line{PID: os.Getpid(), Job: job, Run: run, Key: fmt.Sprintf("%d-%d", os.Getpid(), w.seq)}
	if err := w.note(e, claimed); err != nil {
		return err
	}
	o, err := w.client.Mark(ctx, client.Job{ID: strconv.FormatInt(job, 10), Run: strconv.FormatInt(run, 10), Key: e.Key, Stage: "deploy-staging"})
	if err == nil {
		err = w.finalize(ctx, o, e, attempt)
	} else {
		err = w.taken(ctx, e, attempt, o)
	}
	if noted := w.note(e, cleared); noted != nil {
		return noted
	}
	o.Clear()
	return err
}

func (w *worker) note(e line, what string) error {
	e.What = what
	return w.ledger.write(e)
}

// finalize acts a few times, each time inside a hold, and closes the job.
func (w *worker) finalize(ctx context.Context, o *client.Ownership, e line, attempt int64) error {
	for range 1 + rand.N(3) {
		time.Sleep(rand.N(100 * time.Millisecond))
		a, err := w.permission(ctx, o)
		if err != nil {
			return err
		}
		if a.State == client.Revoked {
			return w.taken(ctx, e, attempt, o)
		}
		if err := w.act(e, a); err != nil {
			return err
		}
	}
	return w.close(ctx, e, attempt)
}

// permission asks until there is an answer.
func (w *worker) permission(ctx context.Context, o *client.Ownership) (client.Answer, error) {
	for {
		a := o.Check(ctx)
		if a.State == client.Revoked || a.Remaining() > 0 {
			return a, nil
		}
		if ctx.Err() != nil {
			return a, fmt.Errorf("check: %w: %s", ctx.Err(), a.Reason)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (w *worker) act(e line, a client.Answer) error {
	e.Until = liveness.Boottime() + a.Remaining()
	if err := w.note(e, act); err != nil {
		return err
	}
	time.Sleep(rand.N(5 * time.Millisecond))
	return w.note(e, done)
}

// close closes the job, however often the database has to be asked.
func (w *worker) close(ctx context.Context, e line, attempt int64) error {
	for {
		ours, err := w.rows.finish(ctx, e.Job, attempt)
		if err == nil && !ours {
			ours, err = w.rows.finished(ctx, e.Job, attempt) // by an attempt whose answer was lost
		}
		switch {
		case err == nil && ours:
			return w.note(e, closed)
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("close: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// taken notes that the job is not this finalizer's any more.
func (w *worker) taken(ctx context.Context, e line, attempt int64, o *client.Ownership) error {
	a := o.Check(ctx)
	e.Why, e.Granted = a.Reason, a.Granted
	var err error
	for e.Mine, err = w.rows.mine(ctx, e.Job, attempt); err != nil && ctx.Err() == nil; e.Mine, err = w.rows.mine(ctx, e.Job, attempt) {
		time.Sleep(20 * time.Millisecond)
	}
	return w.note(e, revoked)
}
