package client_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

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
