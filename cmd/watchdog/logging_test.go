package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func records(t *testing.T, written *bytes.Buffer) []map[string]any {
	t.Helper()
	var list []map[string]any
	for line := range strings.Lines(written.String()) {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		list = append(list, record)
	}
	return list
}

func TestLogIsLimitedByCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := newLoggers(&out, Config{LogFormat: "json"}).log
		for range 5 {
			log.Warn("bad line", "peer", "a")
			log.With("peer", "b").Warn("bad line")
			log.WithGroup("g").Warn("other cause")
		}
		require.Len(t, records(t, &out), 2, "one of each cause")

		time.Sleep(time.Second - time.Nanosecond)
		log.Warn("bad line")
		require.Len(t, records(t, &out), 2, "the second is not over")

		time.Sleep(time.Nanosecond)
		log.Warn("bad line")
		log.Warn("bad line")
		time.Sleep(time.Second)
		log.Warn("bad line")
		time.Sleep(time.Second)
		log.Warn("bad line")
		all := records(t, &out)
		require.Len(t, all, 5)
		assert.EqualValues(t, 10, all[2]["suppressed"])
		assert.EqualValues(t, 1, all[3]["suppressed"])
		assert.NotContains(t, all[4], "suppressed")
	})
}

func TestLimiterForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		limit := newLimiter(slog.NewJSONHandler(&out, nil), slog.LevelInfo)
		log := slog.New(limit)
		for i := range 3 * limitCauses {
			log.Info(fmt.Sprintf("cause %d", i))
		}
		assert.LessOrEqual(t, len(limit.seen.by), limitCauses+1)
		assert.Len(t, records(t, &out), limitCauses+1, "past the bound all causes share one record a second")

		time.Sleep(time.Second)
		log.Info("cause of a quieter time")
		assert.Len(t, limit.seen.by, 1)
		assert.Len(t, records(t, &out), limitCauses+2)
	})
}

func TestLimiterUnderConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := newLoggers(&out, Config{LogFormat: "json"}).log
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 100 {
					log.Error("flood")
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Second)
		log.Error("flood")
		all := records(t, &out)
		require.Len(t, all, 2)
		assert.EqualValues(t, 799, all[1]["suppressed"])
	})
}

func TestLevelsAndFormats(t *testing.T) {
	var out bytes.Buffer
	both := newLoggers(&out, Config{LogFormat: "text", LogLevel: slog.LevelError})
	both.log.Warn("left out")
	both.log.Error("told")
	assert.NotContains(t, out.String(), "left out")
	assert.Contains(t, out.String(), "level=ERROR msg=told")

	out.Reset()
	newLoggers(&out, Config{LogLevel: slog.LevelDebug}).log.Debug("fine")
	assert.Contains(t, out.String(), "msg=fine")
}

func TestAuditIsNeverLimited(t *testing.T) {
	var out bytes.Buffer
	audit := newLoggers(&out, Config{LogFormat: "json", LogLevel: slog.LevelError}).audit
	for range 10 {
		audit.Info("reaped", "job", "1914")
	}
	all := records(t, &out)
	require.Len(t, all, 10)
	assert.Equal(t, true, all[9]["audit"])
	assert.Equal(t, "1914", all[9]["job"])
}
