package bench

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// scrapes is of how many requests the median is told.
const scrapes = 21

// pages takes what /metrics and /queue cost, by how much is owned and open.
func pages(t *testing.T, s scale, server *pg.Server) section {
	result := section{
		title: "5. /metrics and /queue",
		method: fmt.Sprintf("/metrics: medians of %d scrapes, beside those with one owner. /queue: all jobs in one answer; memory is the most that the "+
			"process had in it at one time, beside the same for %s jobs; the times are medians of %d, beside psql -At, which runs the same statement once.", scrapes, count(float64(s.queue[0])), s.rounds),
		beside: "beside",
	}
	result.lines = append(metricsPage(t, s, server), queuePage(t, s, server)...)
	return result
}

func metricsPage(t *testing.T, s scale, server *pg.Server) (lines []line) {
	var firstTook, firstBytes float64
	for _, owners := range s.owners {
		d := database(t, server)
		running(t, d, 1, owners, 0)
		w := program.Serve(t, program.For(t, d.URL).With(program.Settings{"REAPER_INTERVAL": "5s"}))
		owner := cast(t, "owner", w.Socket, strconv.Itoa(owners), "0")
		settle(t, w.PID)
		var took []time.Duration
		var bytes []int
		for range scrapes {
			began := time.Now()
			bytes = append(bytes, len(w.Get(t, "/metrics")))
			took = append(took, time.Since(began))
		}
		finish(t, w.Process)
		finish(t, owner)
		time, size := median(took), float64(median(bytes))
		if firstTook == 0 {
			firstTook, firstBytes = time.Seconds(), size
			continue
		}
		what := "/metrics, " + count(float64(owners)) + " owners: "
		lines = append(lines,
			line{what: what + "time", ours: span(time), beside: "one: " + span(seconds(firstTook)), ratio: time.Seconds() / firstTook, limit: limit{most: 1.5}},
			line{what: what + "bytes", ours: count(size), beside: "one: " + count(firstBytes), ratio: size / firstBytes, limit: limit{most: 1.05}})
	}
	return lines
}

func queuePage(t *testing.T, s scale, server *pg.Server) (lines []line) {
	var firstPeak float64
	for _, jobs := range s.queue {
		d := database(t, server)
		added(t, d, 1, jobs, "'running'", d.Ago(10*time.Minute), "NULL")
		d.Exec(t, "ANALYZE jobs, agent_runs")
		w := program.Serve(t, program.For(t, d.URL).With(program.Settings{"REAPER_INTERVAL": "5s"}))
		peer := startPSQL(t, d)
		url := w.URL + "/queue?limit=" + strconv.Itoa(jobs)
		var first, whole, psql []time.Duration
		for round := range s.rounds {
			if round > 0 {
				<-time.After(1100 * time.Millisecond) // an answer is given again for a second
			}
			psql = append(psql, peer.run(t, "open_jobs", jobs, ""))
			a, b := fetch(t, url, jobs)
			first, whole = append(first, a), append(whole, b)
		}
		peak := memory(t, w.PID, "VmHWM")
		finish(t, w.Process)
		if firstPeak == 0 {
			firstPeak = peak
			continue
		}
		what := "/queue, " + count(float64(jobs)) + " jobs: "
		lines = append(lines,
			line{what: what + "memory", ours: fmt.Sprintf("%.1f MiB", peak), beside: fmt.Sprintf("%s jobs: %.1f MiB", count(float64(s.queue[0])), firstPeak),
				ratio: peak / firstPeak, limit: limit{most: 2}},
			line{what: what + "first byte", ours: span(median(first))},
			line{what: what + "time", ours: span(median(whole)), beside: "psql: " + span(median(psql)), ratio: median(whole).Seconds() / median(psql).Seconds()})
	}
	return lines
}

// fetch reads a page that has so many jobs, and tells when its first byte came and when its last.
func fetch(t *testing.T, url string, jobs int) (first, whole time.Duration) {
	t.Helper()
	began := time.Now()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode)
	_, err = response.Body.Read(make([]byte, 1))
	require.NoError(t, err)
	first = time.Since(began)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, jobs, strings.Count(string(body), `"verdict":`))
	return first, time.Since(began)
}
