package bench

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// lodger is a program that serves /metrics on the address that its environment is made with.
type lodger struct {
	name string
	path string
	args func(address string) []string
	env  func(address string) []string
	up   string // what its metrics say once it is of use
	pass string // and once it has done its first work; may be empty
}

// stay takes what lodgers cost, all at the same time.
func stay(t *testing.T, s scale, lodgers []lodger) []guest {
	t.Helper()
	guests, processes, urls := make([]guest, len(lodgers)), make([]*program.Process, len(lodgers)), make([]string, len(lodgers))
	for i, l := range lodgers {
		var starts, passes []time.Duration
		for range s.starts {
			up, pass := l.start(t)
			starts, passes = append(starts, up), append(passes, pass)
		}
		guests[i].start, guests[i].firstPass = median(starts), median(passes)
		guests[i].binary, guests[i].image = l.size(t)
		processes[i], urls[i] = l.rest(t)
	}
	<-time.After(s.idle / 6) // what comes after a start
	before := make([]time.Duration, len(lodgers))
	for i, p := range processes {
		before[i] = cpu(t, p.PID)
	}
	for until := time.Now().Add(s.idle); time.Now().Before(until); <-time.After(min(scrapeEvery, time.Until(until))) {
		for _, url := range urls {
			require.NotEmpty(t, scrape(url))
		}
	}
	for i, p := range processes {
		guests[i].cpu, guests[i].resident, guests[i].own = cpu(t, p.PID)-before[i], memory(t, p.PID, "VmRSS"), memory(t, p.PID, "RssAnon")
		finish(t, p)
	}
	return guests
}

// begin starts the program.
func (l lodger) begin(t *testing.T) (p *program.Process, url string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	cmd := exec.Command(l.path, l.args(address)...)
	cmd.Env = l.env(address)
	return program.Start(t, cmd), "http://" + address + "/metrics"
}

// rest starts the program and waits until it listens. It is not asked anything: who was asked every other millisecond
// has memory left of it.
func (l lodger) rest(t *testing.T) (p *program.Process, url string) {
	t.Helper()
	p, url = l.begin(t)
	address := strings.Split(url, "/")[2]
	program.Eventually(t, l.name+" listens", func() bool {
		conn, err := net.Dial("tcp", address)
		return err == nil && conn.Close() == nil
	})
	return p, url
}

// start takes the time from the program's start until it says that it is up, and that it made a pass, and ends it.
func (l lodger) start(t *testing.T) (up, pass time.Duration) {
	t.Helper()
	began := time.Now()
	p, url := l.begin(t)
	defer finish(t, p)
	said := func(what string) time.Duration {
		for !strings.Contains(scrape(url), what) {
			select {
			case <-p.Ended():
				t.Fatalf("it ended: %s", p.Output())
			case <-time.After(2 * time.Millisecond):
				require.Less(t, time.Since(began), program.Patience, "it does not say %s", what)
			}
		}
		return time.Since(began)
	}
	up = said(l.up)
	return up, said(l.pass)
}

// scrape is what a page says; nothing while it does not answer.
func scrape(url string) string {
	response, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return ""
	}
	return string(text)
}

// size is that of the program, and of an image of it and the certificate authorities, compressed.
func (l lodger) size(t *testing.T) (binary, image float64) {
	t.Helper()
	squeezed := new(counter)
	w := gzip.NewWriter(squeezed)
	for _, path := range []string{l.path, "/etc/ssl/certs/ca-certificates.crt"} {
		file, err := os.Open(path)
		require.NoError(t, err)
		n, err := io.Copy(w, file)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		if path == l.path {
			binary = float64(n) / (1 << 20)
		}
	}
	require.NoError(t, w.Close())
	return binary, float64(*squeezed) / (1 << 20)
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// exporters are Debian's for PostgreSQL and for nodes.
func exporters(t *testing.T, databaseURL string) ([]lodger, error) {
	postgres, err := debian(t, "prometheus-postgres-exporter")
	if err != nil {
		return nil, err
	}
	node, err := debian(t, "prometheus-node-exporter")
	if err != nil {
		return nil, err
	}
	return []lodger{
		{name: "postgres_exporter", path: postgres, up: "postgres_exporter_build_info{",
			args: func(address string) []string { return []string{"--web.listen-address=" + address} },
			env:  func(string) []string { return []string{"DATA_SOURCE_NAME=" + databaseURL} }},
		{name: "node_exporter", path: node, up: "node_exporter_build_info{",
			args: func(address string) []string { return []string{"--web.listen-address=" + address} },
			env:  func(string) []string { return nil }},
	}, nil
}

// debian is the path of a program that has its package's name. It is unpacked from there where it is not installed: an
// installation would start a service.
func debian(t *testing.T, name string) (string, error) {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	folder := t.TempDir()
	t.Logf("%s is not here; it is unpacked from Debian's package", name)
	fetch := exec.Command("sh", "-ec", "apt-get download -q $0 || { apt-get update -qq; apt-get download -q $0; }; dpkg -x $0_*.deb .", name)
	fetch.Dir = folder
	if output, err := fetch.CombinedOutput(); err != nil {
		return "", fmt.Errorf("download it: %w: %s", err, output)
	}
	return filepath.Join(folder, "usr/bin", name), nil
}
