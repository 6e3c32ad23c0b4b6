package program

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Watchdog is `watchdog serve` as a process.
type Watchdog struct {
	*Process
	Socket string
	URL    string // of its pages
}

// Settings are environment variables without their prefix: {"LISTEN": "127.0.0.1:0"}.
type Settings map[string]string

// With is the settings with some of them changed.
func (s Settings) With(changed Settings) Settings {
	all := maps.Clone(s)
	maps.Copy(all, changed)
	return all
}

// For are settings for a database: a socket in a folder of its own, a free port, quick passes and hardly any
// warm-up. All else is as by default.
func For(t testing.TB, databaseURL string) Settings {
	return Settings{
		"DATABASE_URL":     databaseURL,
		"SOCKET":           filepath.Join(Folder(t), "heartbeat.sock"),
		"LISTEN":           "127.0.0.1:0",
		"REAPER_INTERVAL":  "50ms",
		"HEARTBEAT_WARMUP": "1ms",
		"LOG_FORMAT":       "json",
	}
}

// Launch starts the watchdog and does not wait for anything. What it is told besides its settings is NAME=value.
func Launch(t testing.TB, s Settings, env ...string) *Watchdog {
	t.Helper()
	cmd := exec.Command(Binary(t), "serve")
	cmd.Env = append([]string{}, env...)
	return launch(t, cmd, s)
}

func launch(t testing.TB, cmd *exec.Cmd, s Settings) *Watchdog {
	t.Helper()
	for name, value := range s {
		cmd.Env = append(cmd.Env, "WATCHDOG_"+name+"="+value)
	}
	return &Watchdog{Process: Start(t, cmd), Socket: s["SOCKET"]}
}

// Serve starts the watchdog and returns when it serves.
func Serve(t testing.TB, s Settings, env ...string) *Watchdog {
	t.Helper()
	w := Launch(t, s, env...)
	w.Await(t)
	return w
}

// Await waits until a watchdog that was launched serves.
func (w *Watchdog) Await(t testing.TB) {
	t.Helper()
	Eventually(t, "the watchdog serves", func() bool {
		select {
		case <-w.Ended():
			t.Fatalf("the watchdog ended:\n%s", w.Output())
		default:
		}
		w.URL = listening(w.Output())
		return w.URL != ""
	})
}

func listening(log string) string {
	for line := range strings.Lines(log) {
		var record struct {
			Listen string `json:"listen"`
		}
		if json.Unmarshal([]byte(line), &record) == nil && record.Listen != "" {
			return "http://" + record.Listen
		}
	}
	return ""
}

// Get reads a page and requires that it answers with 200.
func (w *Watchdog) Get(t testing.TB, path string) string {
	t.Helper()
	body, status := w.get(t, path)
	if status != http.StatusOK {
		t.Fatalf("get %s: %d\n%s", path, status, body)
	}
	return body
}

// Body reads a page, whatever the status of the answer.
func (w *Watchdog) Body(t testing.TB, path string) string {
	t.Helper()
	body, _ := w.get(t, path)
	return body
}

func (w *Watchdog) get(t testing.TB, path string) (body string, status int) {
	t.Helper()
	response, err := http.Get(w.URL + path)
	if err != nil {
		t.Fatalf("get %s: %v", path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("get %s: %v", path, err)
	}
	return string(text), response.StatusCode
}

// Judged is a job as /queue shows it.
type Judged struct {
	Owner *struct {
		State string `json:"state"`
		Name  string `json:"name"`
		PID   int    `json:"pid"`
		Proof string `json:"proof"`
	} `json:"owner"`
	Verdict struct {
		Action string `json:"action"`
		Tier   *int   `json:"tier"`
		Reason string `json:"reason"`
	} `json:"verdict"`
}

// Says is the verdict in one text: action and reason.
func (j Judged) Says() string { return j.Verdict.Action + " " + j.Verdict.Reason }

// Queue asks /queue for one job. The answer may be a second old.
func (w *Watchdog) Queue(t testing.TB, job int64) Judged {
	t.Helper()
	var body struct {
		Jobs []Judged `json:"jobs"`
	}
	text := w.Get(t, "/queue?job="+strconv.FormatInt(job, 10))
	if err := json.Unmarshal([]byte(text), &body); err != nil || len(body.Jobs) != 1 {
		t.Fatalf("read /queue: %v\n%s", err, text)
	}
	return body.Jobs[0]
}

// Metric is one sample: name is the series with its labels as /metrics prints it. It is -1 where there is none.
func (w *Watchdog) Metric(t testing.TB, series string) float64 {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(w.Get(t, "/metrics")))
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), series+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatalf("read %s: %v", series, err)
			}
			return v
		}
	}
	return -1
}
