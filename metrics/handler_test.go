package metrics_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/metrics"
)

func scrape(t *testing.T, accept string) *httptest.ResponseRecorder {
	t.Helper()
	m, reg := newMetrics(t, &world{})
	m.Reaped(watchdog.Tier2, watchdog.ReasonOwnerDied, 4*time.Millisecond)
	m.Released("clear", "deploy", time.Minute)
	m.PassDone(time.Millisecond, true)

	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept", accept)
	recorder := httptest.NewRecorder()
	metrics.Handler(reg, slog.New(slog.NewTextHandler(t.Output(), nil))).ServeHTTP(recorder, request)
	require.Equal(t, http.StatusOK, recorder.Code)
	return recorder
}

func TestScrapeAsText(t *testing.T) {
	answer := scrape(t, "text/plain")
	require.Contains(t, answer.Header().Get("Content-Type"), "text/plain")
	require.Contains(t, answer.Body.String(), `reaper_recovery_seconds_bucket{tier="2",le="0.005"} 1`+"\n")
	require.NotContains(t, answer.Body.String(), "# EOF")
}

func TestScrapeAsOpenMetrics(t *testing.T) {
	answer := scrape(t, "application/openmetrics-text; version=1.0.0")
	require.Contains(t, answer.Header().Get("Content-Type"), "application/openmetrics-text")
	require.Contains(t, answer.Body.String(), "# TYPE reaper_passes counter\nreaper_passes_total 1.0\n")
	require.True(t, bytes.HasSuffix(answer.Body.Bytes(), []byte("# EOF\n")))
}

// TestScrapeAsProtobuf finds both kinds of buckets: naming a native factor alone would do away with the
// classic ones.
func TestScrapeAsProtobuf(t *testing.T) {
	answer := scrape(t, "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	decoder := expfmt.NewDecoder(answer.Body, expfmt.ResponseFormat(answer.Header()))

	observed := map[string]bool{}
	for {
		var family dto.MetricFamily
		err := decoder.Decode(&family)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		for _, m := range family.Metric {
			if m.Histogram.GetSampleCount() == 0 {
				continue
			}
			require.NotEmpty(t, m.Histogram.PositiveSpan, "%s: native buckets", family.GetName())
			require.NotEmpty(t, m.Histogram.Bucket, "%s: classic buckets", family.GetName())
			observed[family.GetName()] = true
		}
	}
	require.Equal(t, map[string]bool{"reaper_recovery_seconds": true, "finalizer_owned_duration_seconds": true,
		"reaper_pass_duration_seconds": true}, observed)
}

func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	require.NoError(t, err, "install it: apt-get install -y --no-install-recommends prometheus")

	command := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	command.Stdin = scrape(t, "text/plain").Body
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
}
