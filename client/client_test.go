package client_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMarkSaysWhatIsOwned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{Name: "orchestrator-0", Lease: 9 * time.Second})
		defer c.Close()
		marked := later(func() error { _, err := c.Mark(t.Context(), job); return err })
		l := w.pick()
		hello := l.read()
		assert.Equal(t, "orchestrator-0", hello.Name)
		assert.Equal(t, 9*time.Second, hello.Lease)
		l.write(`{"ok":true,"v":1,"session":"s","lease_s":9,"beat_s":3}`)
		mark := l.answer(protocol.OpMark, `"ok":true,"token":42`)
		mark.ID = nil
		assert.Equal(t, protocol.Request{Op: protocol.OpMark, Job: "1914", Run: "2207", Key: "t-7", Task: "ORCH-111",
			Stage: "deploy-staging", Role: client.Finalizer}, mark)
		assert.NoError(t, <-marked)
	})
}

func TestMarksWithoutAKeyAreRivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{})
		defer c.Close()
		keyless := client.Job{ID: "1", Run: "2"}
		for range 2 {
			go c.Mark(t.Context(), keyless)
		}
		l := w.accept()
		first := l.answer(protocol.OpMark, `"ok":true,"token":1`)
		second := l.answer(protocol.OpMark, `"ok":true,"token":2`)
		assert.NotEmpty(t, first.Key)
		assert.NotEqual(t, first.Key, second.Key)
	})
}

func TestMarkIsRefusedToASecondFinalizer(t *testing.T) {
	for members, want := range map[string]error{
		`"ok":false,"error":"owned","owner":{"name":"b","since_s":12.5}`: &client.OwnedError{
			Job: "1914", Owner: "b", Since: 12500 * time.Millisecond},
		`"ok":false,"error":"revoked","reason":"backstop"`: &client.RevokedError{Job: "1914", Reason: "backstop"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, c := newWatchdog(t, client.Options{})
			defer c.Close()
			refused := later(func() error {
				o, err := c.Mark(t.Context(), job)
				assert.True(t, o.Revoked())
				assert.Equal(t, client.Revoked, o.Check(t.Context()).State)
				assert.Equal(t, want, context.Cause(o.Context(t.Context())))
				o.Clear()
				return err
			})
			w.accept().answer(protocol.OpMark, members)
			assert.Equal(t, want, <-refused)
			assert.Zero(t, c.Kept())
		})
	}
}

func TestMarkThatTheWatchdogCannotTakeDoesNothing(t *testing.T) {
	for _, code := range []protocol.Code{protocol.BadRequest, protocol.Forbidden, protocol.UnknownOp} {
		synctest.Test(t, func(t *testing.T) {
			w, c := newWatchdog(t, client.Options{})
			defer c.Close()
			marked := later(func() *client.Ownership {
				o, err := c.Mark(t.Context(), job)
				assert.NoError(t, err)
				return o
			})
			l := w.accept()
			l.answer(protocol.OpMark, `"ok":false,"error":"`+string(code)+`"`)
			o := <-marked
			assert.False(t, o.Granted())
			assert.Zero(t, spent(func() {
				assert.Equal(t, client.Unknown, o.Check(t.Context()).State)
				o.Clear()
				o.Clear()
			}))
			l.silent(time.Second)
			assert.Zero(t, c.Kept())
		})
	}
}

func TestMarkThatIsRefusedForNowIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{})
		defer c.Close()
		marked := later(func() *client.Ownership { o, _ := c.Mark(t.Context(), job); return o })
		l := w.accept()
		l.answer(protocol.OpMark, `"ok":false,"error":"unavailable","message":"the database is away"`)
		o := <-marked
		a := o.Check(t.Context())
		assert.Equal(t, client.Unknown, a.State)
		assert.Equal(t, "unavailable: the database is away", a.Reason)
		assert.Equal(t, 5*time.Second, spent(func() { l.answer(protocol.OpMark, `"ok":true,"token":42`) }))
		synctest.Wait()
		assert.True(t, o.Granted())
	})
}

func TestJobsThatNoRequestCanNameAreNotMarked(t *testing.T) {
	long := make([]byte, 129)
	for i := range long {
		long[i] = 'x'
	}
	wild := string(make([]byte, 128))
	for _, job := range []client.Job{
		{Run: "2"}, {ID: "1"}, {ID: "\xff", Run: "2"}, {ID: "1", Run: "\xff"}, {ID: string(long), Run: "2"},
		{ID: "1", Run: "2", Key: string(long)}, {ID: wild, Run: wild, Key: wild, Task: wild + wild, Stage: wild + wild},
	} {
		c := client.New(client.Options{})
		o, err := c.Mark(t.Context(), job)
		assert.NoError(t, err)
		assert.Equal(t, client.Unknown, o.Check(t.Context()).State)
		o.Clear()
		c.Close()
		assert.Zero(t, c.Kept())
	}
}

func TestTextsForPeopleAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{})
		defer c.Close()
		var wide strings.Builder
		for range 200 {
			wide.WriteString("é")
		}
		go c.Mark(t.Context(), client.Job{ID: "1", Run: "2", Task: "x" + wide.String(), Stage: "a\xffb"})
		mark := w.accept().answer(protocol.OpMark, `"ok":true,"token":1`)
		assert.Equal(t, "x"+wide.String()[:254], mark.Task, "no half of a letter")
		assert.Equal(t, "ab", mark.Stage)
	})
}

func TestClientBeatsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, _ := owned(t)
		defer c.Close()
		for range 10 {
			assert.Equal(t, 5*time.Second, spent(func() { l.answer(protocol.OpBeat, `"ok":true`) }))
		}
	})
}

func TestOneConnectionServesEveryOwnership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c, l, _ := owned(t)
		defer c.Close()
		for token := uint64(43); token < 100; token++ {
			l.mark(c, token)
		}
		assert.Equal(t, 1, int(w.dials.Load()))
	})
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, _, o := owned(t)
		c.Close()
		c.Close()
		assert.Equal(t, client.Unknown, o.Check(t.Context()).State)
		assert.False(t, o.Revoked(), "an owner that falls silent is not revoked by itself")
		o.Clear()
		assert.Zero(t, c.Kept())
		o, err := c.Mark(t.Context(), job)
		require.NoError(t, err)
		assert.Equal(t, "the client is closed", o.Check(t.Context()).Reason)
		assert.Zero(t, c.Kept())
	})
}

func TestCloseAnswersWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		answer := later(func() client.Answer { return o.Check(ctx) })
		l.expect(protocol.OpCheck)
		assert.Zero(t, spent(func() {
			c.Close()
			assert.Equal(t, client.Unknown, (<-answer).State)
		}))
	})
}

func TestCloseOfAnUnusedClientReturns(t *testing.T) {
	client.New(client.Options{}).Close()
}
