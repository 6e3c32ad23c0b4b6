package client_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

func TestNoWatchdogCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{})
		defer c.Close()
		w.down.Store(true)
		assert.Zero(t, spent(func() {
			for range 1000 {
				o, err := c.Mark(t.Context(), job)
				require.NoError(t, err)
				o.Step("merge", time.Minute)
				a := o.Check(t.Context())
				assert.Equal(t, client.Unknown, a.State)
				assert.Equal(t, "the watchdog is away: connection refused", a.Reason)
				assert.ErrorIs(t, a.Err, errRefused)
				assert.True(t, a.Proceed(client.UnlessInDoubt), "there never was a watchdog")
				o.Clear()
			}
		}))
		assert.Zero(t, c.Kept())
	})
}

func TestWatchdogThatComesLaterIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{})
		defer c.Close()
		w.down.Store(true)
		o, err := c.Mark(t.Context(), job)
		require.NoError(t, err)
		o.Step("merge", time.Hour)
		time.Sleep(time.Minute)
		w.down.Store(false)
		assert.Less(t, spent(func() {
			l := w.accept()
			l.answer(protocol.OpMark, `"ok":true,"token":42`)
			step := l.answer(protocol.OpStep, `"ok":true`)
			assert.InDelta(t, 59*time.Minute, step.Budget, float64(10*time.Second), "the budget runs since it was given")
		}), 5*time.Second+1)
		synctest.Wait()
		assert.True(t, o.Granted())
	})
}

func TestJobThatIsAnothersWhenTheWatchdogComesIsRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{})
		defer c.Close()
		w.down.Store(true)
		o, err := c.Mark(t.Context(), job)
		require.NoError(t, err)
		ctx := o.Context(t.Context())
		w.down.Store(false)
		w.accept().answer(protocol.OpMark, `"ok":false,"error":"owned","owner":{"name":"b","since_s":1}`)
		<-ctx.Done()
		assert.Equal(t, &client.OwnedError{Job: "1914", Owner: "b", Since: time.Second}, context.Cause(ctx))
		assert.Equal(t, client.Revoked, o.Check(t.Context()).State)
	})
}

func TestWatchdogThatNeverAnswersHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{})
		defer c.Close()
		for range 2 { // the second finds that the first has waited in vain
			var o *client.Ownership
			first := w.dials.Load() == 0
			took := spent(func() { o, _ = c.Mark(t.Context(), job) })
			if first {
				assert.Equal(t, 50*time.Millisecond, took)
			} else {
				assert.Zero(t, took)
			}
			assert.Zero(t, spent(func() {
				assert.Equal(t, client.Unknown, o.Check(t.Context()).State)
				o.Clear()
			}))
		}
	})
}

// TestWatchdogThatFallsSilentIsWaitedForOnce is about one that is stopped between two requests.
func TestWatchdogThatFallsSilentIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{})
		defer c.Close()
		o, err := c.Mark(t.Context(), job)
		require.NoError(t, err)
		l := w.accept()
		l.answer(protocol.OpMark, `"ok":true,"token":42`)
		synctest.Wait()
		check := func() { assert.Equal(t, client.Unknown, o.Check(t.Context()).State) }
		assert.Equal(t, 50*time.Millisecond, spent(check))
		assert.Zero(t, spent(check))
		patient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.Equal(t, time.Second, spent(func() { o.Check(patient) }))

		l.answer(protocol.OpCheck, `"ok":true,"hold_s":30`) // the first: of the others nothing was sent
		synctest.Wait()
		go l.answer(protocol.OpCheck, `"ok":true,"hold_s":30`)
		assert.Equal(t, client.OK, o.Check(t.Context()).State, "it was heard of again")
	})
}

func TestWatchdogThatNeverAnswersIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{})
		defer c.Close()
		o, err := c.Mark(t.Context(), job)
		require.NoError(t, err)
		w.pick() // it reads nothing and says nothing
		assert.Equal(t, "the watchdog did not answer in time", o.Check(t.Context()).Reason)
		time.Sleep(2 * time.Second)
		assert.Equal(t, "the watchdog is away: say hello: the watchdog did not answer in time", o.Check(t.Context()).Reason)
		w.accept().answer(protocol.OpMark, `"ok":true,"token":42`)
		synctest.Wait()
		assert.True(t, o.Granted())
	})
}
