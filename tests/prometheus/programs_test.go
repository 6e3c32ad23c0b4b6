package prometheus

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// shipped is a file of deploy.
func shipped(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../deploy", name))
	require.NoError(t, err)
	return path
}

// fetched is the path of a program that scripts/fetch-prometheus.sh has put into the cache.
func fetched(t testing.TB, name string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	path := filepath.Join(cache, "finalizer-watchdog", "prometheus", name)
	require.FileExists(t, path, "run scripts/fetch-prometheus.sh, or make deps")
	return path
}

// promtool runs promtool in a folder and requires that it finds nothing wrong.
func promtool(t testing.TB, folder string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), fetched(t, "promtool"), args...)
	cmd.Dir = folder
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "promtool %v\n%s", args, output)
}

// server is a running Prometheus or Alertmanager.
type server struct {
	*program.Process
	url string
}

// serve starts a server on a free port and returns when it is ready.
func serve(t testing.TB, name, config string, args ...string) *server {
	t.Helper()
	cmd := exec.Command(fetched(t, name), append(args, "--config.file="+config, "--web.listen-address=127.0.0.1:0")...)
	cmd.Env = []string{"GOMAXPROCS=1"} // as little of the machine as will do
	s := &server{Process: program.Start(t, cmd)}
	listening := regexp.MustCompile(`msg="Listening on" .*address=(\S+)`)
	program.Eventually(t, name+" is ready", func() bool {
		found := listening.FindStringSubmatch(s.Output())
		if found == nil {
			select {
			case <-s.Ended():
				t.Fatalf("%s ended:\n%s", name, s.Output())
			default:
			}
			return false
		}
		s.url = "http://" + found[1]
		response, err := http.Get(s.url + "/-/ready")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return s
}

// get asks for a path of the API, and is false when the answer is an error.
func (s *server) get(t testing.TB, into any, path string, params ...string) error {
	t.Helper()
	query := url.Values{}
	for i := 0; i < len(params); i += 2 {
		query.Set(params[i], params[i+1])
	}
	response, err := http.Get(s.url + path + "?" + query.Encode())
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s %v: %s", path, params, body)
	}
	require.NoError(t, json.Unmarshal(body, into), string(body))
	return nil
}

// sample is one series of an answer, at one instant.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

// query evaluates an expression now.
func (s *server) query(t testing.TB, expr string) []sample {
	t.Helper()
	var answer struct {
		Data struct{ Result []sample }
	}
	require.NoError(t, s.get(t, &answer, "/api/v1/query", "query", expr))
	return answer.Data.Result
}
