package client_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
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

func TestWatchdogThatFallsSilentIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c, l, o := owned(t)
		defer c.Close()
		silent := l
		go func() {
			for silent.in.Scan() { // it reads, and says nothing any more
			}
		}()
		assert.Equal(t, 20*time.Second, spent(func() { l = w.pick() }).Truncate(time.Second), "the lease and one more beat")
		l.conn.Close()
		l = w.accept()
		assert.EqualValues(t, 42, l.answer(protocol.OpMark, `"ok":true,"token":42`).Token)
		assert.False(t, o.Revoked())
	})
}

func TestWatchdogThatNeverReadsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c, l, o := owned(t)
		defer c.Close()
		assert.Equal(t, 50*time.Millisecond, spent(func() { o.Check(t.Context()) }))
		assert.Equal(t, 50*time.Millisecond, spent(o.Clear))
		_ = l
		_, err := c.Mark(t.Context(), job)
		require.NoError(t, err)
		assert.Less(t, spent(func() { w.pick() }), 21*time.Second)
	})
}

// A process that was stopped finds its lease lapsed and the replies of back then unread. It asks before it
// gives up on the connection: the watchdog may have to tell it that it was reaped.
// TestLeaseCountsFromWhenTheBeatWasSent has a beat answered when most of its lease is over, and no other.
func TestLeaseCountsFromWhenTheBeatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c, l, _ := owned(t)
		defer c.Close()
		beat := l.expect(protocol.OpBeat)
		sent := time.Now()
		time.Sleep(4 * time.Second)
		l.reply(beat, `"ok":true`)
		go func() {
			for l.in.Scan() { // it reads, and says nothing any more
			}
		}()
		w.pick()
		assert.Less(t, time.Since(sent), 15*time.Second+2*5*time.Second, "the lease, and a beat to make sure")
	})
}

func TestLapsedLeaseAsksBeforeItHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stopped time.Duration
		start := time.Now()
		w, c := newWatchdog(t, client.Options{Boot: func() time.Duration { return time.Since(start) + stopped }})
		defer c.Close()
		marked := later(func() *client.Ownership { o, _ := c.Mark(t.Context(), job); return o })
		l := w.accept()
		l.answer(protocol.OpMark, `"ok":true,"token":42`)
		o := <-marked
		synctest.Wait()
		stopped = 2 * time.Hour
		answer := later(func() client.Answer { return o.Check(t.Context()) })
		l.answer(protocol.OpCheck, `"ok":false,"error":"revoked","reason":"backstop"`)
		assert.Equal(t, client.Revoked, (<-answer).State)
		for range 5 {
			l.answer(protocol.OpBeat, `"ok":true`)
		}
		assert.Equal(t, 1, int(w.dials.Load()))
	})
}

func TestNonsenseEndsTheConnectionAndNothingElse(t *testing.T) {
	for _, nonsense := range []string{
		"x", "", "[]", "null", `{"ok":true}`, `{"ok":true,"id":99}`, `{"ok":false,"error":"overloaded"}`,
		strings.Repeat("x", 100_000),
	} {
		synctest.Test(t, func(t *testing.T) {
			w, c, l, o := owned(t)
			defer c.Close()
			go l.conn.Write([]byte(nonsense + "\n")) // the client may hang up before its end
			l = w.accept()
			assert.EqualValues(t, 42, l.answer(protocol.OpMark, `"ok":true,"token":42`).Token)
			synctest.Wait()
			assert.False(t, o.Revoked())
		})
	}
}

func TestMarkThatIsGrantedWithoutItsTokenEndsTheConnection(t *testing.T) {
	for _, members := range []string{`"ok":true`, `"ok":true,"token":41`} {
		synctest.Test(t, func(t *testing.T) {
			w, c, l, _ := owned(t)
			defer c.Close()
			l.conn.Close()
			w.accept().answer(protocol.OpMark, members)
			w.accept()
		})
	}
}

func TestHelloThatIsRefusedIsTriedAgainLater(t *testing.T) {
	for _, hello := range []string{
		`{"ok":false,"error":"overloaded"}`, `{"ok":true}`, `{"ok":true,"lease_s":-1}`, "x",
	} {
		synctest.Test(t, func(t *testing.T) {
			w, c := newWatchdog(t, client.Options{})
			defer c.Close()
			marked := later(func() time.Duration { return spent(func() { c.Mark(t.Context(), job) }) })
			for range 20 {
				l := w.pick()
				l.read()
				l.write(hello)
			}
			assert.Less(t, <-marked, 10*time.Millisecond)
			assert.Equal(t, 20, int(w.dials.Load()))
		})
	}
}

// The beats of a watchdog that names none, or too long ones, are a third of its lease.
func TestBeatsFitTheLease(t *testing.T) {
	for _, beat := range []string{`0`, `-1`, `15`, `1e300`} {
		synctest.Test(t, func(t *testing.T) {
			w, c := newWatchdog(t, client.Options{})
			defer c.Close()
			go c.Mark(t.Context(), job)
			l := w.pick()
			l.read()
			l.write(`{"ok":true,"lease_s":15,"beat_s":` + beat + `}`)
			l.answer(protocol.OpMark, `"ok":true,"token":42`)
			assert.Equal(t, 5*time.Second, spent(func() { l.answer(protocol.OpBeat, `"ok":true`) }))
		})
	}
}

func TestBackoffGrowsToItsMost(t *testing.T) {
	const most = 5 * time.Second
	for failures := range 100 {
		d := client.Backoff(failures, most)
		switch {
		case failures == 0:
			assert.Less(t, d, 5*time.Millisecond)
		case failures <= 7:
			full := 50 * time.Millisecond << (failures - 1)
			assert.GreaterOrEqual(t, d, full/2)
			assert.LessOrEqual(t, d, full)
		default:
			assert.GreaterOrEqual(t, d, most/2)
			assert.LessOrEqual(t, d, most)
		}
	}
}

func TestAttemptsAreSpreadOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{})
		defer c.Close()
		w.down.Store(true)
		_, err := c.Mark(t.Context(), job)
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		assert.Greater(t, int(w.dials.Load()), 100, "no later than every third of the lease")
		assert.Less(t, int(w.dials.Load()), 300)
	})
}

func TestNothingOwnedNothingTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWatchdog(t, client.Options{})
		defer c.Close()
		w.down.Store(true)
		o, err := c.Mark(t.Context(), job)
		require.NoError(t, err)
		o.Clear()
		time.Sleep(time.Minute)
		tried := int(w.dials.Load())
		time.Sleep(time.Hour)
		assert.Equal(t, tried, int(w.dials.Load()))

		w.down.Store(false) // and the next mark finds it at once
		marked := later(func() *client.Ownership { o, _ := c.Mark(t.Context(), job); return o })
		w.accept().answer(protocol.OpMark, `"ok":true,"token":42`)
		assert.True(t, (<-marked).Granted())
	})
}

func TestLogTellsOfChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		w, c := newWatchdog(t, client.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		w.down.Store(true)
		_, err := c.Mark(t.Context(), job)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		w.down.Store(false)
		l := w.accept()
		l.answer(protocol.OpMark, `"ok":false,"error":"forbidden"`)
		time.Sleep(time.Second)
		c.Close()
		var told []string
		for line := range strings.Lines(log.String()) {
			_, message, _ := strings.Cut(line, "msg=")
			told = append(told, strings.TrimSpace(message))
		}
		assert.Equal(t, []string{
			`"watchdog away" error="connection refused"`,
			`"watchdog connected" lease=15s`,
			`"watchdog refused mark" error="mark job 1914: forbidden"`,
		}, told)
	})
}
