package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/web"
)

// badQueries are refused with the field that is at fault.
var badQueries = map[string]string{
	"limit=0":                             "limit",
	"limit=100001":                        "limit",
	"limit=-1":                            "limit",
	"limit=%2B5":                          "limit",
	"limit=1.5":                           "limit",
	"limit=":                              "limit",
	"limit=99999999999999999999":          "limit",
	"limit=1&limit=2":                     "limit",
	"after=%00":                           "after",
	"after=%ff":                           "after",
	"after=" + strings.Repeat("x", 129):   "after",
	"job=":                                "job",
	"job=1%002":                           "job",
	"job=1&limit=5":                       "job",
	"job=1&after=":                        "job",
	"Limit=5":                             "Limit",
	"token=42":                            "token",
	"a;b":                                 "query",
	"limit=%zz":                           "query",
	"zebra=1&limit=zero&apple=2":          "apple",
	"after=" + strings.Repeat("%C3", 300): "after",
}

func TestBadQueries(t *testing.T) {
	for raw, field := range badQueries {
		answer := get(t, newConfig(source{}), "/queue?"+raw)
		requireStatus(t, http.StatusBadRequest, answer)
		requireSchema(t, "refusal", answer.Body.Bytes())

		var body struct{ Error, Field, Message string }
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &body))
		require.Equal(t, "bad-request", body.Error)
		require.Equal(t, field, body.Field, raw)
		require.Contains(t, body.Message, field+"=", "the field and the value")
	}
	message := get(t, newConfig(source{}), "/queue?limit=0").Body.String()
	require.Contains(t, message, `limit=\"0\": must be a whole number from 1 to 100000`)
}

// FuzzQuery holds that whatever reaches the database is within the rules, and that all else is refused as JSON.
func FuzzQuery(f *testing.F) {
	for raw := range badQueries {
		f.Add(raw)
	}
	f.Add("limit=5&after=1914")
	f.Add("job=1914")

	f.Fuzz(func(t *testing.T, raw string) {
		asked := false
		permit := func(id watchdog.JobID) {
			asked = true
			require.LessOrEqual(t, len(id), 128)
			require.True(t, utf8.ValidString(string(id)))
			require.NotContains(t, string(id), "\x00")
		}
		handler := web.Handler(newConfig(source{
			page: func(_ context.Context, after watchdog.JobID, limit int) (watchdog.Queue, error) {
				permit(after)
				require.GreaterOrEqual(t, limit, 1)
				require.LessOrEqual(t, limit, 1000, "at once")
				return watchdog.Queue{Now: now}, nil
			},
			job: func(_ context.Context, id watchdog.JobID) (watchdog.Queue, error) {
				permit(id)
				require.NotEmpty(t, id)
				return watchdog.Queue{Now: now}, nil
			},
		}))
		request := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/queue", RawQuery: raw}}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)

		want := http.StatusBadRequest
		if asked {
			want = http.StatusOK
		}
		require.Equal(t, want, recorder.Code)
		require.True(t, json.Valid(recorder.Body.Bytes()))
	})
}
