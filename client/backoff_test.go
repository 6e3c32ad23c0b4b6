package client_test

import (
	"bytes"
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
