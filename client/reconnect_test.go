package client_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

func TestLostConnectionIsResumedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c, l, o := owned(t)
		defer c.Close()
		l.mark(c, 43)
		time.Sleep(2 * time.Second)
		o.Step("merge", time.Hour)
		l.answer(protocol.OpStep, `"ok":true`)
		l.conn.Close()
		synctest.Wait()
		fresh := later(func() *client.Ownership {
			o, _ := c.Mark(t.Context(), client.Job{ID: "7", Run: "8"})
			return o
		})
		answer := later(func() client.Answer { return o.Check(t.Context()) })
		assert.Less(t, spent(func() { l = w.accept() }), 5*time.Millisecond)
		resumed := map[uint64]bool{}
		for range 2 {
			r := l.expect(protocol.OpMark)
			resumed[r.Token] = true
			assert.Equal(t, "t-7", r.Key)
			assert.Equal(t, "deploy-staging", r.Stage, "a watchdog that was restarted takes our word for it")
			l.reply(r, `"ok":true,"token":`+map[uint64]string{42: "42", 43: "43"}[r.Token])
		}
		assert.Equal(t, map[uint64]bool{42: true, 43: true}, resumed)
		assert.Zero(t, l.answer(protocol.OpMark, `"ok":true,"token":44`).Token, "what is new comes last")
		assert.True(t, (<-fresh).Granted())
		assert.Equal(t, "merge", l.answer(protocol.OpStep, `"ok":true`).Step, "a new watchdog does not know the step")
		l.answer(protocol.OpCheck, `"ok":true,"hold_s":30`)
		assert.Equal(t, client.OK, (<-answer).State)
	})
}

func TestCheckOutlivesTheConnectionItWasSentOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c, l, o := owned(t)
		defer c.Close()
		answer := later(func() client.Answer { return o.Check(t.Context()) })
		l.expect(protocol.OpCheck)
		l.conn.Close()
		l = w.accept()
		l.answer(protocol.OpMark, `"ok":true,"token":42`)
		l.answer(protocol.OpCheck, `"ok":true,"hold_s":30`)
		assert.Equal(t, client.OK, (<-answer).State)
	})
}

func TestResumeThatIsRefusedEndsTheOwnership(t *testing.T) {
	for _, members := range []string{
		`"ok":false,"error":"revoked","reason":"owner-died"`,
		`"ok":false,"error":"owned","owner":{"name":"b","since_s":1}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			w, c, l, o := owned(t)
			defer c.Close()
			ctx := o.Context(t.Context())
			l.conn.Close()
			l = w.accept()
			l.answer(protocol.OpMark, members)
			<-ctx.Done()
			assert.True(t, o.Revoked())
			l.silent(4 * time.Second)
			assert.Zero(t, c.Kept())
		})
	}
}

func TestTokenThatTheWatchdogForgotIsMarkedAfresh(t *testing.T) {
	for _, code := range []string{"bad-request", "not-owner"} {
		synctest.Test(t, func(t *testing.T) {
			w, c, l, o := owned(t)
			defer c.Close()
			l.conn.Close()
			l = w.accept()
			l.answer(protocol.OpMark, `"ok":false,"field":"token","error":"`+code+`"`)
			r := l.answer(protocol.OpMark, `"ok":true,"token":50`)
			assert.Zero(t, r.Token)
			assert.Equal(t, "t-7", r.Key)
			answer := later(func() client.Answer { return o.Check(t.Context()) })
			assert.EqualValues(t, 50, l.answer(protocol.OpCheck, `"ok":true,"hold_s":30`).Token)
			assert.Equal(t, client.OK, (<-answer).State)
		})
	}
}

func TestTokenThatIsStrangeToTheSessionIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		answer := later(func() client.Answer { return o.Check(t.Context()) })
		l.answer(protocol.OpCheck, `"ok":false,"error":"not-owner"`)
		assert.Equal(t, client.Unknown, (<-answer).State)
		assert.EqualValues(t, 42, l.answer(protocol.OpMark, `"ok":false,"error":"revoked","reason":"closed"`).Token)
		synctest.Wait()
		assert.True(t, o.Revoked())
	})
}

func TestClearWithoutAConnectionIsLeftToTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c, l, o := owned(t)
		defer c.Close()
		w.down.Store(true)
		l.conn.Close()
		synctest.Wait()
		assert.Zero(t, spent(o.Clear))
		assert.Zero(t, c.Kept())
		w.down.Store(false)
		fresh := later(func() *client.Ownership { o, _ := c.Mark(t.Context(), client.Job{ID: "7", Run: "8"}); return o })
		l = w.accept()
		assert.Equal(t, "7", l.answer(protocol.OpMark, `"ok":true,"token":44`).Job)
		<-fresh
	})
}

func TestConnectionThatEndsUnderAClearReleasesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		cleared := later(func() time.Duration { return spent(o.Clear) })
		l.expect(protocol.OpClear)
		l.conn.Close()
		assert.Zero(t, <-cleared)
		assert.Zero(t, c.Kept())
	})
}
