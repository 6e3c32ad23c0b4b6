package web_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	watchdog "github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/web"
)

// start serves on a port of the loopback until the test ends. It gives the address, and what ends it and
// tells Run's error.
func start(t *testing.T, c web.Config, configFile string) (address string, end func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &web.Server{Listener: listener, Handler: web.Handler(c), ConfigFile: configFile,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}

	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- server.Run(ctx) }()
	end = func() error { cancel(); return <-result }
	t.Cleanup(cancel)
	return listener.Addr().String(), end
}

func TestServerWithTLSAndPassword(t *testing.T) {
	folder := t.TempDir()
	roots := writeCertificate(t, folder)
	hash, err := bcrypt.GenerateFromPassword([]byte("three in the morning"), bcrypt.MinCost)
	require.NoError(t, err)
	file := filepath.Join(folder, "web.yml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n"+
		"basic_auth_users:\n  ops: %s\n", hash), 0o600))
	require.NoError(t, web.CheckConfigFile(file))
	address, end := start(t, newConfig(source{}), file)

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	for password, want := range map[string]int{
		"three in the morning": http.StatusOK, "wrong": http.StatusUnauthorized, "": http.StatusUnauthorized} {
		for _, path := range []string{"/queue", "/healthz", "/metrics"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+path, nil)
			require.NoError(t, err)
			if password != "" {
				request.SetBasicAuth("ops", password)
			}
			response, err := client.Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			if path == "/metrics" && want == http.StatusOK {
				want = http.StatusNotFound // newConfig has none
			}
			require.Equal(t, want, response.StatusCode, "%s with %q", path, password)
		}
	}

	plain, err := http.Get("http://" + address + "/queue")
	require.NoError(t, err)
	require.NoError(t, plain.Body.Close())
	require.Equal(t, http.StatusBadRequest, plain.StatusCode, "TLS only")
	require.NoError(t, end())
}

func TestBadConfigFile(t *testing.T) {
	require.NoError(t, web.CheckConfigFile(""))

	file := filepath.Join(t.TempDir(), "web.yml")
	require.NoError(t, os.WriteFile(file, []byte("tls_server_config:\n  cert_file: missing.pem\n  key_file: missing.pem\n"), 0o600))
	require.ErrorContains(t, web.CheckConfigFile(file), "missing.pem")
	passwords := filepath.Join(t.TempDir(), "web.yml")
	require.NoError(t, os.WriteFile(passwords, []byte("basic_auth_users: hunter2\nbogus: 1\n"), 0o600))
	require.EqualError(t, web.CheckConfigFile(passwords), "yaml: unmarshal errors: line 1: cannot unmarshal !!str `…` into "+
		"map[string]config.Secret line 2: field bogus not found in type web.Config")

	_, end := start(t, newConfig(source{}), file)
	require.ErrorContains(t, end(), "serve http: ")
}

// TestServerThatFails ends Run, and with it the program, rather than a log line.
func TestServerThatFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	server := &web.Server{Listener: listener, Handler: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler)}
	require.ErrorIs(t, server.Run(t.Context()), net.ErrClosed)
}

// TestServerEnds: requests under way get their answer, those that last are cut off, and none is left.
func TestServerEnds(t *testing.T) {
	t.Parallel()
	for name, took := range map[string]time.Duration{"with an answer": 100 * time.Millisecond, "by cutting off": time.Hour} {
		t.Run(name, func(t *testing.T) {
			asked, left := make(chan struct{}), make(chan struct{})
			page := func(ctx context.Context, _ watchdog.JobID, _ int) (watchdog.Queue, error) {
				defer close(left)
				close(asked)
				select {
				case <-time.After(took):
					return watchdog.Queue{Now: now}, nil
				case <-ctx.Done():
					<-time.After(50 * time.Millisecond) // as a database that is slow to be told does
					return watchdog.Queue{}, ctx.Err()
				}
			}
			address, end := start(t, newConfig(source{page: page}), "")

			answered := make(chan bool, 1)
			go func() {
				client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				response, err := client.Get("http://" + address + "/queue")
				if err == nil {
					_ = response.Body.Close()
				}
				answered <- err == nil && response.StatusCode == http.StatusOK
			}()
			<-asked
			began := time.Now()
			require.NoError(t, end())
			require.Less(t, time.Since(began), 4*time.Second)
			select {
			case <-left:
			default:
				require.Fail(t, "a request is under way after Run returned")
			}
			require.Equal(t, took < time.Second, <-answered)
		})
	}
}

// TestServerEndsUnderAClientThatDoesNotRead: its answer is larger than what the kernel takes off the handler.
func TestServerEndsUnderAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	page := fullPage()
	page.Jobs[0].Job.Task = strings.Repeat("x", 32<<20)
	address, end := start(t, newConfig(source{page: func(context.Context, watchdog.JobID, int) (watchdog.Queue, error) {
		return page, nil
	}}), "")

	client, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer client.Close()
	_, err = io.WriteString(client, "GET /queue HTTP/1.1\r\nHost: watchdog\r\n\r\n")
	require.NoError(t, err)
	_, err = io.ReadFull(client, make([]byte, 1024))
	require.NoError(t, err)

	began := time.Now()
	require.NoError(t, end())
	require.Less(t, time.Since(began), 4*time.Second)
}

// writeCertificate writes cert.pem and key.pem, good for the loopback, and gives the pool that trusts them.
func writeCertificate(t *testing.T, folder string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)

	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	require.NoError(t, os.WriteFile(filepath.Join(folder, "cert.pem"), certPEM, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "key.pem"), keyPEM, 0o600))
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certPEM))
	return pool
}
