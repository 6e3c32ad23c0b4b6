package prometheus

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// often is how often Prometheus scrapes and evaluates in a test.
const often = "200ms"

// world is a watchdog that Prometheus scrapes, by the shipped configuration and hastened rules, and whose alerts go
// by way of Alertmanager to a webhook.
type world struct {
	*program.Watchdog
	db           *program.Database
	prometheus   *server
	alertmanager *server
	hook         *webhook
}

func newWorld(t testing.TB, s program.Settings) *world {
	t.Helper()
	w := &world{db: program.OnSQLite(t), hook: newWebhook(t)}
	w.Watchdog = program.Serve(t, program.For(t, w.db.URL).With(s))
	folder := program.Folder(t)
	w.alertmanager = serve(t, "alertmanager", w.alertmanagerConfig(t, folder), "--cluster.listen-address=",
		"--storage.path="+program.Folder(t))
	w.prometheus = serve(t, "prometheus", w.prometheusConfig(t, folder), "--enable-feature=native-histograms",
		"--storage.tsdb.path="+program.Folder(t))
	return w
}

// prometheusConfig is the shipped one with the addresses of this world, and hastened.
func (w *world) prometheusConfig(t testing.TB, folder string) string {
	t.Helper()
	rules := readRules(t)
	rules.hasten(t)
	var config map[string]any
	readYAML(t, shipped(t, "prometheus/prometheus.yml"), &config)
	config["global"] = map[string]any{"scrape_interval": often, "scrape_timeout": often, "evaluation_interval": often}
	config["rule_files"] = []string{writeYAML(t, filepath.Join(folder, "rules.yml"), rules)}
	targets(config["alerting"].(map[string]any)["alertmanagers"], w.alertmanager.url)
	targets(config["scrape_configs"], w.URL)
	path := writeYAML(t, filepath.Join(folder, "prometheus.yml"), config)

	// From 3.8 on a setting takes the place of the flag; those before do not know it.
	config["scrape_configs"].([]any)[0].(map[string]any)["scrape_native_histograms"] = true
	newer := writeYAML(t, filepath.Join(folder, "newer.yml"), config)
	if exec.CommandContext(t.Context(), fetched(t, "promtool"), "check", "config", newer).Run() == nil {
		return newer
	}
	return path
}

// targets puts an address into the static configuration of the first, and only, entry.
func targets(of any, url string) {
	entry := of.([]any)[0].(map[string]any)
	entry["static_configs"] = []any{map[string]any{"targets": []string{strings.TrimPrefix(url, "http://")}}}
}

// alertmanagerConfig is the shipped one, in a hurry, with the webhook for both receivers.
func (w *world) alertmanagerConfig(t testing.TB, folder string) string {
	t.Helper()
	var config map[string]any
	readYAML(t, shipped(t, "prometheus/alertmanager.yml"), &config)
	route := config["route"].(map[string]any)
	route["group_wait"], route["group_interval"] = "100ms", "300ms"
	for _, receiver := range config["receivers"].([]any) {
		r := receiver.(map[string]any)
		hook := r["webhook_configs"].([]any)[0].(map[string]any)
		hook["url"] = w.hook.URL + "/" + r["name"].(string)
	}
	return writeYAML(t, filepath.Join(folder, "alertmanager.yml"), config)
}

// notice is an alert as the webhook was told of it.
type notice struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	receiver    string
	heard       time.Time
}

// webhook remembers what Alertmanager tells it.
type webhook struct {
	*httptest.Server
	mu    sync.Mutex
	heard []notice
}

func newWebhook(t testing.TB) *webhook {
	t.Helper()
	h := &webhook{}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

// ServeHTTP takes in one notification.
func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Alerts []notice `json:"alerts"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range body.Alerts {
		n.receiver, n.heard = strings.TrimPrefix(r.URL.Path, "/"), time.Now()
		h.heard = append(h.heard, n)
	}
}

// wait returns the first notice of an alert with a status, firing or resolved.
func (h *webhook) wait(t testing.TB, alert, status string) notice {
	t.Helper()
	var found notice
	program.Eventually(t, "the webhook hears that "+alert+" is "+status, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, n := range h.heard {
			if n.Labels["alertname"] == alert && n.Status == status {
				found = n
				return true
			}
		}
		return false
	})
	require.NotContains(t, found.Annotations["summary"]+found.Annotations["description"], "<error", "a template")
	return found
}
