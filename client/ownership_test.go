package client_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

func TestCheckPromisesFromWhenItWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		answer := later(func() client.Answer { return o.Check(ctx) })
		r := l.expect(protocol.OpCheck)
		assert.Equal(t, "1914", r.Job)
		assert.EqualValues(t, 42, r.Token)
		time.Sleep(2 * time.Second)
		l.reply(r, `"ok":true,"hold_s":30`)
		a := <-answer
		assert.Equal(t, client.OK, a.State)
		assert.True(t, a.Granted)
		assert.Equal(t, 28*time.Second, a.Remaining())
		assert.True(t, a.Proceed(client.UnlessInDoubt))
		time.Sleep(28 * time.Second)
		assert.Zero(t, a.Remaining())
	})
}

func TestCheckForAHoldOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		for asked, sent := range map[time.Duration]time.Duration{0: 0, -1: 0, time.Second: time.Second, 1 << 62: 1e9 * time.Second} {
			answer := later(func() client.Answer { return o.CheckFor(t.Context(), asked) })
			assert.Equal(t, sent, l.answer(protocol.OpCheck, `"ok":true,"hold_s":1`).Hold)
			assert.Equal(t, time.Second, (<-answer).Remaining())
		}
	})
}

func TestCheckIsUnknownWhenItsHoldRanOutOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		answer := later(func() client.Answer { return o.Check(ctx) })
		r := l.expect(protocol.OpCheck)
		time.Sleep(3 * time.Second)
		l.reply(r, `"ok":true,"hold_s":3`)
		a := <-answer
		assert.Equal(t, client.Unknown, a.State)
		assert.Zero(t, a.Remaining())
	})
}

func TestCheckWithoutAHoldPromisesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		answer := later(func() client.Answer { return o.Check(t.Context()) })
		l.answer(protocol.OpCheck, `"ok":true`)
		a := <-answer
		assert.Equal(t, client.Unknown, a.State)
		assert.Equal(t, "the watchdog promised no hold", a.Reason)
		assert.Zero(t, a.Remaining())
	})
}

func TestCheckThatNobodyCanAnswerIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		answer := later(func() client.Answer { return o.Check(t.Context()) })
		l.answer(protocol.OpCheck, `"ok":false,"error":"unavailable","message":"the database is away"`)
		a := <-answer
		assert.Equal(t, client.Unknown, a.State)
		assert.Equal(t, "unavailable: the database is away", a.Reason)
		assert.True(t, a.Granted)
	})
}

func TestCheckThatIsRevokedEndsTheOwnership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		ctx := o.Context(t.Context())
		answer := later(func() client.Answer { return o.Check(t.Context()) })
		l.answer(protocol.OpCheck, `"ok":false,"error":"revoked","reason":"backstop"`)
		a := <-answer
		assert.Equal(t, client.Revoked, a.State)
		assert.Equal(t, "backstop", a.Reason)
		assert.False(t, a.Proceed(client.UnlessRevoked))
		<-ctx.Done()
		assert.Equal(t, &client.RevokedError{Job: "1914", Reason: "backstop"}, context.Cause(ctx))
		assert.Zero(t, spent(func() { assert.Equal(t, client.Revoked, o.Check(t.Context()).State) }))
		o.Clear()
		l.silent(4 * time.Second)
		assert.Zero(t, c.Kept())
	})
}

func TestCheckTakesNoLongerThanItsCallerAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, _, o := owned(t)
		defer c.Close()
		assert.Equal(t, 50*time.Millisecond, spent(func() {
			a := o.Check(t.Context())
			assert.Equal(t, client.Unknown, a.State)
			assert.True(t, a.Granted)
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		assert.Equal(t, 300*time.Millisecond, spent(func() { o.Check(ctx) }))
		assert.Zero(t, spent(func() { o.Check(ctx) }), "over before it began")
	})
}

func TestLateAnswerIsNotAnotherChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		late := later(func() client.Answer { return o.Check(t.Context()) })
		first := l.expect(protocol.OpCheck)
		assert.Equal(t, client.Unknown, (<-late).State)
		patient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		answer := later(func() client.Answer { return o.Check(patient) })
		second := l.expect(protocol.OpCheck)
		l.reply(first, `"ok":true,"hold_s":30`)
		l.reply(second, `"ok":false,"error":"unavailable"`)
		assert.Equal(t, client.Unknown, (<-answer).State)
	})
}

func TestEventRevokesBetweenReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		other := l.mark(c, 43)
		ctx := o.Context(t.Context())
		answer := later(func() client.Answer { return o.Check(t.Context()) })
		r := l.expect(protocol.OpCheck)
		l.write(`{"event":"later","token":42}`)
		l.write(`{"event":"revoked","job":"1914","token":42,"reason":"backstop"}`)
		l.reply(r, `"ok":false,"error":"revoked","reason":"backstop"`)
		assert.Equal(t, client.Revoked, (<-answer).State)
		assert.ErrorContains(t, context.Cause(ctx), "job 1914 was revoked: backstop")
		assert.True(t, o.Revoked())
		assert.False(t, other.Revoked())
	})
}

func TestEventBeforeItsMarkIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{})
		defer c.Close()
		refused := later(func() error {
			_, err := c.Mark(t.Context(), job)
			return err
		})
		l := w.accept()
		r := l.expect(protocol.OpMark)
		l.write(`{"event":"revoked","job":"1914","token":42,"reason":"backstop"}`)
		l.reply(r, `"ok":true,"token":42`)
		assert.ErrorContains(t, <-refused, "job 1914 was revoked: backstop")
		assert.False(t, l.mark(c, 43).Revoked(), "another token")
	})
}

func TestUnknownEventsAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c, l, o := owned(t)
		defer c.Close()
		l.write(`{"event":"weather","token":42}`)
		l.write(`{"event":"revoked","job":"1914","token":41,"reason":"backstop"}`)
		synctest.Wait()
		assert.False(t, o.Revoked())
		assert.Equal(t, 1, int(w.dials.Load()))
	})
}

func TestContextEndsWithItsParentAndWithClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		parent, cancel := context.WithCancel(t.Context())
		child, other := o.Context(parent), o.Context(t.Context())
		cancel()
		assert.ErrorIs(t, child.Err(), context.Canceled)
		assert.NoError(t, other.Err())
		done := later(func() bool { o.Clear(); return true })
		l.answer(protocol.OpClear, `"ok":true`)
		<-done
		synctest.Wait()
		assert.Equal(t, context.Canceled, context.Cause(other))
	})
}

func TestStepIsToldWithItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		assert.Zero(t, spent(func() {
			o.Step("", time.Minute)
			o.Step("merge-gate re-test", 30*time.Minute)
		}))
		r := l.answer(protocol.OpStep, `"ok":true`)
		assert.Equal(t, "merge-gate re-test", r.Step)
		assert.Equal(t, 30*time.Minute, r.Budget)
		assert.EqualValues(t, 42, r.Token)
		for _, none := range []time.Duration{0, -1, 1<<63 - 1} {
			o.Step("scan", none)
			assert.Zero(t, l.answer(protocol.OpStep, `"ok":true`).Budget)
		}
	})
}

func TestStepThatIsRevokedEndsTheOwnership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		o.Step("scan", 0)
		l.answer(protocol.OpStep, `"ok":false,"error":"revoked","reason":"reaping"`)
		synctest.Wait()
		assert.True(t, o.Revoked())
	})
}

func TestClearIsTakenInBeforeItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, o := owned(t)
		defer c.Close()
		cleared := later(func() time.Duration { return spent(o.Clear) })
		r := l.expect(protocol.OpClear)
		assert.EqualValues(t, 42, r.Token)
		time.Sleep(10 * time.Millisecond)
		l.reply(r, `"ok":true`)
		assert.Equal(t, 10*time.Millisecond, <-cleared)
		assert.Zero(t, spent(o.Clear))
		l.silent(4 * time.Second)
		assert.Equal(t, client.Answer{State: client.Revoked, Reason: "cleared"}, o.Check(t.Context()))
		assert.False(t, o.Revoked(), "it was given back, not taken")
		assert.Zero(t, c.Kept())
	})
}

func TestClearBeforeTheMarkIsAnsweredIsSentAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{})
		defer c.Close()
		marked := later(func() *client.Ownership { o, _ := c.Mark(t.Context(), job); return o })
		l := w.accept()
		mark := l.expect(protocol.OpMark)
		o := <-marked
		cleared := later(func() bool { o.Clear(); return true })
		synctest.Wait()
		l.reply(mark, `"ok":true,"token":42`)
		assert.EqualValues(t, 42, l.answer(protocol.OpClear, `"ok":true`).Token)
		<-cleared
		assert.Zero(t, c.Kept())
	})
}

func TestNilOwnershipOwnsNothing(t *testing.T) {
	var o *client.Ownership
	o.Step("merge", time.Second)
	o.Clear()
	assert.False(t, o.Granted())
	assert.False(t, o.Revoked())
	assert.Equal(t, t.Context(), o.Context(t.Context()))
	a := o.Check(t.Context())
	assert.True(t, a.Proceed(client.UnlessInDoubt))
	assert.Zero(t, a.Remaining())
}

func TestProceedFollowsThePolicy(t *testing.T) {
	for _, c := range []struct {
		answer             client.Answer
		lenient, demanding bool
	}{
		{client.Answer{State: client.OK, Granted: true}, true, true},
		{client.Answer{State: client.Unknown}, true, true},
		{client.Answer{State: client.Unknown, Granted: true}, true, false},
		{client.Answer{State: client.Revoked, Granted: true}, false, false},
		{client.Answer{}, false, false},
	} {
		assert.Equal(t, c.lenient, c.answer.Proceed(client.UnlessRevoked), "%+v", c.answer)
		assert.Equal(t, c.demanding, c.answer.Proceed(client.UnlessInDoubt), "%+v", c.answer)
	}
}
