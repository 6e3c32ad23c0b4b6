package web_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/web"
)

func TestHealthz(t *testing.T) {
	config := newConfig(source{})
	config.Ready = func() error { return errors.New("no socket") }
	answer := get(t, config, "/healthz")
	requireStatus(t, http.StatusOK, answer)
	require.Equal(t, "ok\n", answer.Body.String())
}

// TestReadyz: nothing but the socket may take the pod out of service.
func TestReadyz(t *testing.T) {
	config := newConfig(source{})
	answer := get(t, config, "/readyz")
	requireStatus(t, http.StatusOK, answer)
	require.Equal(t, "ready\nsocket: serving\ndatabase: up\nstandby: no\n", answer.Body.String())

	config.Status = func() watchdog.Status {
		return watchdog.Status{Standby: true, StandbyReason: "another watchdog holds the lock", DatabaseUp: true}
	}
	answer = get(t, config, "/readyz")
	requireStatus(t, http.StatusOK, answer)
	require.Equal(t, "ready\nsocket: serving\ndatabase: up\nstandby: yes: another watchdog holds the lock\n",
		answer.Body.String())

	config.Status = func() watchdog.Status { return watchdog.Status{Standby: true, StandbyReason: "connection refused"} }
	answer = get(t, config, "/readyz")
	requireStatus(t, http.StatusOK, answer)
	require.Equal(t, "ready\nsocket: serving\ndatabase: away\nstandby: not known while the database is away\n", answer.Body.String())

	config.Ready = func() error { return errors.New("listen: gone") }
	answer = get(t, config, "/readyz")
	requireStatus(t, http.StatusServiceUnavailable, answer)
	require.Contains(t, answer.Body.String(), "not ready\nsocket: listen: gone\n")
}

func TestMetricsAreTheCallers(t *testing.T) {
	config := newConfig(source{})
	config.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") })
	require.Equal(t, "up 1\n", get(t, config, "/metrics").Body.String())
}

func TestPathsAndMethods(t *testing.T) {
	handler := web.Handler(newConfig(source{}))
	for _, path := range []string{"/", "/queue", "/healthz", "/readyz"} {
		requireStatus(t, http.StatusOK, ask(t.Context(), handler, http.MethodGet, path))
		requireStatus(t, http.StatusOK, ask(t.Context(), handler, http.MethodHead, path))
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
			answer := ask(t.Context(), handler, method, path)
			requireStatus(t, http.StatusMethodNotAllowed, answer)
			require.Equal(t, "GET, HEAD", answer.Header().Get("Allow"))
		}
	}
	for _, path := range []string{"/nothing", "/page/", "/page/nothing", "/favicon.ico"} {
		requireStatus(t, http.StatusNotFound, ask(t.Context(), handler, http.MethodGet, path))
	}
}

func TestPageFilesEndAtTheirFolder(t *testing.T) {
	for _, path := range []string{"/page/..%2fdoc.go", "/page/%2e%2e", "/page/..%2f..%2fgo.mod"} {
		require.GreaterOrEqual(t, get(t, newConfig(source{}), path).Code, 400, path)
	}
}

func TestSecurityHeaders(t *testing.T) {
	for _, path := range []string{"/", "/queue", "/queue?limit=x", "/metrics", "/healthz", "/page/main.js", "/nothing"} {
		header := get(t, newConfig(source{}), path).Header()
		require.Contains(t, header.Get("Content-Security-Policy"), "default-src 'none'", path)
		require.NotContains(t, header.Get("Content-Security-Policy"), "unsafe", path)
		require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), path)
		require.Equal(t, "no-store", header.Get("Cache-Control"), path)
	}
}

// TestPageLoadsOnlyItsOwn follows what the page names: it must be there, and there must be nothing that the
// content policy forbids or that treats text as HTML.
func TestPageLoadsOnlyItsOwn(t *testing.T) {
	page := get(t, newConfig(source{}), "/").Body.String()
	require.Contains(t, page, "<!doctype html>")
	for _, link := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		require.NotContains(t, link[1], "//", "another host's")
		require.False(t, strings.HasPrefix(link[1], "/"), "%s is not relative", link[1])
		if link[1] != "metrics" {
			requireStatus(t, http.StatusOK, get(t, newConfig(source{}), "/"+link[1]))
		}
	}
	require.NotRegexp(t, `<style|\sstyle=|\son[a-z]+=|<script>`, page)

	files, err := fs.Glob(os.DirFS("page"), "*.js")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		answer := get(t, newConfig(source{}), "/page/"+name)
		requireStatus(t, http.StatusOK, answer)
		require.Contains(t, answer.Header().Get("Content-Type"), "javascript")
		require.NotRegexp(t, `innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://`, answer.Body.String(), name)
		for _, module := range regexp.MustCompile(`from "\./([^"]+)"`).FindAllStringSubmatch(answer.Body.String(), -1) {
			require.Contains(t, files, module[1])
		}
	}
}
