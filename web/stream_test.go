package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/web"
)

// numbered is a source of jobs from 1 to n.
func numbered(n int, asked func(after, limit int) error) source {
	return source{page: func(_ context.Context, after watchdog.JobID, limit int) (watchdog.Queue, error) {
		from, _ := strconv.Atoi(string(after))
		if err := asked(from, limit); err != nil {
			return watchdog.Queue{}, err
		}
		page := watchdog.Queue{Now: now, Counts: map[string]int{"running": n}}
		for id := from + 1; id <= min(n, from+limit); id++ {
			page.Jobs = append(page.Jobs, watchdog.Judged{
				Job:     watchdog.Job{ID: watchdog.JobID(strconv.Itoa(id)), CreatedAt: now.Rows},
				Verdict: watchdog.Verdict{Action: watchdog.Wait, Reason: watchdog.ReasonRunning}})
		}
		if len(page.Jobs) == limit {
			page.Next = page.Jobs[limit-1].Job.ID
		}
		return page, nil
	}}
}

// TestPageOfManyParts is one answer with each job once, however many there are beyond it.
func TestPageOfManyParts(t *testing.T) {
	for _, c := range []struct {
		jobs, limit, want int
		next              any
		reads             string
	}{
		{jobs: 2500, limit: 100_000, want: 2500, reads: "0:1000 1000:1000 2000:1000"},
		{jobs: 2000, limit: 100_000, want: 2000, reads: "0:1000 1000:1000 2000:1000"}, // the last read finds none
		{jobs: 2500, limit: 2200, want: 2200, next: "2200", reads: "0:1000 1000:1000 2000:200"},
		{jobs: 2500, limit: 2000, want: 2000, next: "2000", reads: "0:1000 1000:1000"},
		{jobs: 0, limit: 2000, want: 0, reads: "0:1000"},
	} {
		var reads []string
		answer := get(t, newConfig(numbered(c.jobs, func(after, limit int) error {
			reads = append(reads, fmt.Sprintf("%d:%d", after, limit))
			return nil
		})), fmt.Sprintf("/queue?limit=%d", c.limit))
		requireStatus(t, http.StatusOK, answer)
		var body struct {
			Jobs []struct{ Job string }
			Next any
		}
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &body))
		require.Len(t, body.Jobs, c.want)
		for i, j := range body.Jobs {
			require.Equal(t, strconv.Itoa(i+1), j.Job)
		}
		require.Equal(t, c.next, body.Next)
		require.Equal(t, c.reads, strings.Join(reads, " "), "%+v", c)
	}
}

// TestPageThatBreaksOff is never taken for whole: a client sees the connection cut.
func TestPageThatBreaksOff(t *testing.T) {
	server := httptest.NewServer(web.Handler(newConfig(numbered(5000, func(after, _ int) error {
		if after == 2000 {
			return errors.New("the database is away")
		}
		return nil
	}))))
	defer server.Close()
	response, err := server.Client().Get(server.URL + "/queue?limit=5000")
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode)
	var body any
	require.Error(t, json.NewDecoder(response.Body).Decode(&body))
}

// slowReader takes its time over the first thing that it is sent.
type slowReader struct {
	*httptest.ResponseRecorder
	began bool
}

func (r *slowReader) Write(text []byte) (int, error) {
	if !r.began {
		r.began = true
		<-time.After(time.Second)
	}
	return r.ResponseRecorder.Write(text)
}

// TestPageThatHasBegunWaitsForRoom: it is too late to refuse it.
func TestPageThatHasBegunWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := web.Handler(newConfig(numbered(1500, func(_, limit int) error {
			if limit < 500 {
				<-time.After(3 * time.Second)
			}
			return nil
		})))
		began := time.Now()
		reader := &slowReader{ResponseRecorder: httptest.NewRecorder()}
		var wall sync.WaitGroup
		wall.Go(func() {
			handler.ServeHTTP(reader, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/queue?limit=1500", nil))
			require.GreaterOrEqual(t, time.Since(began), 3*time.Second, "it had to wait")
		})
		synctest.Wait()
		for i := range 8 { // as many as there is room for: the part that was read makes way
			wall.Go(func() {
				requireStatus(t, http.StatusOK, ask(t.Context(), handler, http.MethodGet, fmt.Sprintf("/queue?limit=%d", i+1)))
			})
		}
		wall.Wait()
		requireStatus(t, http.StatusOK, reader.ResponseRecorder)
		require.True(t, json.Valid(reader.Body.Bytes()))
		require.Equal(t, 1500, strings.Count(reader.Body.String(), `"verdict":`))
	})
}

// TestHeadOfManyParts reads one of them.
func TestHeadOfManyParts(t *testing.T) {
	reads := 0
	handler := web.Handler(newConfig(numbered(5000, func(int, int) error { reads++; return nil })))
	requireStatus(t, http.StatusOK, ask(t.Context(), handler, http.MethodHead, "/queue?limit=5000"))
	require.Equal(t, 1, reads)
}

// TestLargestPart holds the bound that share.go counts with.
func TestLargestPart(t *testing.T) {
	judged := fullPage().Jobs[0]
	judged.Claim.Owner.Step = strings.Repeat("s", 200)
	page := watchdog.Queue{Now: now}
	for range 1000 {
		page.Jobs = append(page.Jobs, judged)
	}
	config := newConfig(source{page: func(context.Context, watchdog.JobID, int) (watchdog.Queue, error) { return page, nil }})
	answer := get(t, config, "/queue")
	requireStatus(t, http.StatusOK, answer)
	require.Less(t, answer.Body.Len(), 1600<<10)
}
