package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	watchdog "github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a reaper of two functions; a nil one answers with an empty page.
type source struct {
	page func(ctx context.Context, after watchdog.JobID, limit int) (watchdog.Queue, error)
	job  func(ctx context.Context, id watchdog.JobID) (watchdog.Queue, error)
}

func (s source) Page(ctx context.Context, after watchdog.JobID, limit int) (watchdog.Queue, error) {
	if s.page == nil {
		return watchdog.Queue{Now: now}, nil
	}
	return s.page(ctx, after, limit)
}

func (s source) Job(ctx context.Context, id watchdog.JobID) (watchdog.Queue, error) {
	if s.job == nil {
		return watchdog.Queue{}, watchdog.ErrNoJob
	}
	return s.job(ctx, id)
}

// now is the instant at which all pages of these tests were judged.
var now = watchdog.Instant{
	Rows: time.Date(2026, 3, 1, 3, 4, 5, 123456789, time.FixedZone("", 3600)),
	Boot: time.Hour,
}

func newConfig(s source) web.Config {
	return web.Config{
		Source:   s,
		Status:   func() watchdog.Status { return watchdog.Status{DatabaseUp: true} },
		Owners:   func() watchdog.Owners { return watchdog.Owners{} },
		Ready:    func() error { return nil },
		Metrics:  http.NotFoundHandler(),
		Settings: map[string]string{"REAPER_INTERVAL": "5s"},
		Version:  "1.2.3",
		Timeout:  5 * time.Second,
	}
}

func get(t *testing.T, c web.Config, target string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(t.Context(), web.Handler(c), http.MethodGet, target)
}

func ask(ctx context.Context, h http.Handler, method, target string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, method, target, nil))
	return recorder
}

func requireStatus(t *testing.T, want int, answer *httptest.ResponseRecorder) {
	t.Helper()
	require.Equal(t, want, answer.Code, "%s", answer.Body)
}
