package main

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhereThePagesAre(t *testing.T) {
	for _, test := range []struct {
		flags pagesFlags
		want  string
	}{
		{pagesFlags{listen: ":9914"}, "http://localhost:9914"},
		{pagesFlags{listen: "0.0.0.0:9914"}, "http://localhost:9914"},
		{pagesFlags{listen: "[::]:9914"}, "http://localhost:9914"},
		{pagesFlags{listen: "127.0.0.2:80"}, "http://127.0.0.2:80"},
		{pagesFlags{listen: "[::1]:9914"}, "http://[::1]:9914"},
		{pagesFlags{listen: "pod.example:9914", caFile: "ca.pem"}, "https://pod.example:9914"},
		{pagesFlags{listen: ":9914", url: "https://a.example/watchdog/"}, "https://a.example/watchdog/"},
	} {
		u, err := test.flags.base()
		if assert.NoError(t, err, test.flags) {
			assert.Equal(t, test.want, u.String())
		}
	}
}

func TestWrongPagesFlags(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for _, test := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--user", "ops"}, "--user and --password-file belong together"},
		{[]string{"--password-file", empty}, "--user and --password-file belong together"},
		{[]string{"--user", "ops", "--password-file", none}, "--password-file: "},
		{[]string{"--ca-file", none}, "--ca-file: "},
		{[]string{"--ca-file", empty}, "holds no certificate"},
		{[]string{"--url", "localhost:9914"}, "--url must be http://HOST:PORT"},
		{[]string{"--url", "http://ops:hunter2@h:1"}, "--url must have no user"},
		{[]string{"--url", "http://ops:hunter2@h:x"}, "--url must be http://HOST:PORT"},
	} {
		status, _, stderr := start(t, nil, append(append([]string{"explain"}, test.flags...), "1914")...)
		assert.Equal(t, exitUsage, status, test.flags)
		assert.Contains(t, stderr, test.want)
		assert.NotContains(t, stderr, "hunter2")
	}
	status, _, stderr := start(t, []string{"WATCHDOG_LISTEN=127.0.0.1:0"}, "explain", "1914")
	assert.Equal(t, exitUsage, status)
	assert.Contains(t, stderr, "names no port: give --url")
}

// secured answers /watchdog/queue?job=1914 over TLS to the user ops with the password hunter2.
func secured(t *testing.T) (server *httptest.Server, ca string) {
	t.Helper()
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case user != "ops" || password != "hunter2":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.String() == "/watchdog/queue?job=1914%2F+%26":
			_, _ = io.WriteString(w, `{"now":"2026-03-14T12:00:00Z","jobs":[{"job":"1914/ &","verdict":{"action":"wait","reason":"closed"}}]}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of the clients that are refused
	server.StartTLS()
	t.Cleanup(server.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(ca, block, 0o600))
	return server, ca
}

func TestPagesWithTLSAndAPassword(t *testing.T) {
	server, ca := secured(t)
	password := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(password, []byte("hunter2\n"), 0o600))
	login := []string{"--user", "ops", "--password-file", password}
	there := []string{"explain", "--url", server.URL + "/watchdog"}
	ask := func(flags ...string) (int, string, string) {
		return start(t, nil, append(append(append([]string{}, there...), flags...), "1914/ &")...)
	}

	status, stdout, stderr := ask(append([]string{"--ca-file", ca}, login...)...)
	assert.Equal(t, exitOK, status, stderr)
	assert.Contains(t, stdout, "job 1914/ &: wait (closed)\n")

	status, _, stderr = ask("--ca-file", ca)
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, stderr, "give --user and --password-file")

	wrong := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(wrong, []byte("hunter3\n"), 0o600))
	status, _, stderr = ask("--ca-file", ca, "--user", "ops", "--password-file", wrong)
	assert.Equal(t, exitFailed, status)
	assert.Equal(t, "watchdog explain: the watchdog does not take this user with this password\n", stderr)

	status, _, stderr = ask(login...)
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, stderr, "name the authority of its certificate by --ca-file")
	assert.NotContains(t, stderr, "hunter2")

	there[2] = "http" + server.URL[len("https"):]
	status, _, stderr = ask()
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, stderr, "the watchdog speaks TLS: give --url https://…, or --ca-file")
}

func TestPagesWithoutTLS(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	status, _, stderr := start(t, nil, "explain", "--url", "https"+server.URL[len("http"):], "1")
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, stderr, "it speaks no TLS: give --url http://…")
}

func TestPagesThatNobodyServes(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	status, _, stderr := start(t, []string{"WATCHDOG_LISTEN=" + server.Listener.Addr().String()}, "explain", "1")
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, stderr, "connection refused; is it running, with this WATCHDOG_LISTEN? (--url names another)")
}

// The password goes to the address that was named and to no other.
func TestPagesFollowNobody(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("somebody was sent here") }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer server.Close()
	status, _, stderr := start(t, nil, "explain", "--url", server.URL, "1")
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, stderr, "this is no watchdog's answer: status 302")
}
