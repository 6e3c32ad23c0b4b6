package prometheus

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// lab is a Prometheus that scrapes one watchdog for each alert, in the condition that the alert is about. Each is in a
// namespace named like its alert.
type lab struct {
	prometheus *server
	found      string // the folder in which Prometheus looks for targets
	programs   string // what the commands of the runbooks find
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{found: program.Folder(t), programs: program.Folder(t)}
	folder := program.Folder(t)
	rules := readRules(t)
	rules.hasten(t)
	for g := range rules.Groups {
		for i := range rules.Groups[g].Rules {
			r := &rules.Groups[g].Rules[i]
			r.Expr = strings.NewReplacer("> 120", "> 2", "> 600", "> 3").Replace(r.Expr) // seconds too
		}
	}
	var config map[string]any
	readYAML(t, shipped(t, "prometheus/prometheus.yml"), &config)
	config["global"] = map[string]any{"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
	config["rule_files"] = []string{writeYAML(t, filepath.Join(folder, "rules.yml"), rules)}
	delete(config, "alerting")
	job := config["scrape_configs"].([]any)[0].(map[string]any)
	delete(job, "static_configs")
	job["file_sd_configs"] = []any{map[string]any{"files": []string{l.found + "/*.json"}, "refresh_interval": "1s"}}
	l.prometheus = serve(t, "prometheus", writeYAML(t, filepath.Join(folder, "prometheus.yml"), config),
		"--storage.tsdb.path="+program.Folder(t))

	require.NoError(t, os.Symlink(program.Binary(t), filepath.Join(l.programs, "watchdog")))
	require.NoError(t, os.Symlink(fetched(t, "promtool"), filepath.Join(l.programs, "promtool")))
	// There is no cluster: what the watchdog logged is where kubectl would get it from.
	kubectl := "#!/bin/sh\ncase $1 in logs) cat \"$LOG\";; *) echo \"(kubectl $*)\";; esac\n"
	require.NoError(t, os.WriteFile(filepath.Join(l.programs, "kubectl"), []byte(kubectl), 0o755))
	return l
}

// scrape has Prometheus scrape watchdogs in a namespace.
func (l *lab) scrape(t *testing.T, namespace string, watchdogs ...*program.Watchdog) {
	t.Helper()
	var groups []map[string]any
	for _, w := range watchdogs {
		groups = append(groups, map[string]any{"targets": []string{strings.TrimPrefix(w.URL, "http://")},
			"labels": map[string]string{"namespace": namespace}})
	}
	text, err := json.Marshal(groups)
	require.NoError(t, err)
	born := filepath.Join(l.found, namespace+".new")
	require.NoError(t, os.WriteFile(born, text, 0o600))
	require.NoError(t, os.Rename(born, filepath.Join(l.found, namespace+".json")))
	program.Eventually(t, namespace+" is scraped", func() bool {
		return len(l.prometheus.query(t, fmt.Sprintf("reaper_passes_total{namespace=%q}", namespace))) == len(watchdogs)
	})
}

// firing reports whether an alert fires for its own watchdog, or for whatever it is about.
func (l *lab) firing(t *testing.T, alert string) bool {
	t.Helper()
	return len(l.prometheus.query(t, fmt.Sprintf(`ALERTS{alertname=%q,alertstate="firing",namespace=~"%[1]s|"}`, alert))) > 0
}

// says shows what whoever is woken reads.
func (l *lab) says(t *testing.T, name string) {
	t.Helper()
	var answer struct {
		Data struct {
			Alerts []struct{ Labels, Annotations map[string]string }
		}
	}
	require.NoError(t, l.prometheus.get(t, &answer, "/api/v1/alerts"))
	for _, a := range answer.Data.Alerts {
		if a.Labels["alertname"] != name {
			continue
		}
		t.Logf("%s (%s)\n%s\n%s", name, a.Labels["severity"], a.Annotations["summary"], a.Annotations["description"])
		assert.NotContains(t, a.Annotations["summary"]+a.Annotations["description"], "<", "a template failed, or a label is not there")
	}
}

// commands are those of one part of a runbook, in the order in which they are to be tried.
func commands(t *testing.T, alert, part string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs/runbooks", alert+".md"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "\n## "+part+"\n")
	require.True(t, found)
	rest, _, _ = strings.Cut(rest, "\n## ")
	var all []string
	for _, line := range regexp.MustCompile(`(?m)^ {4,}(\S.*)$`).FindAllStringSubmatch(rest, -1) {
		all = append(all, line[1])
	}
	return all
}

// follow runs commands as somebody would who was woken, and tells what they show. A command may find something
// wrong; it must be a command.
func (l *lab) follow(t *testing.T, w *program.Watchdog, s program.Settings, commands []string) {
	t.Helper()
	log := filepath.Join(program.Folder(t), "log")
	require.NoError(t, os.WriteFile(log, []byte(w.Output()), 0o600))
	for _, line := range commands {
		here := strings.NewReplacer("localhost:9914", strings.TrimPrefix(w.URL, "http://"),
			"http://localhost:9090", l.prometheus.url).Replace(line)
		cmd := exec.CommandContext(t.Context(), "sh", "-c", here)
		cmd.Env = []string{"PATH=" + l.programs + ":/usr/bin:/bin", "LOG=" + log, "JOB=1914", "POD=orchestrator-0",
			"WATCHDOG_SOCKET=" + w.Socket, "WATCHDOG_LISTEN=" + strings.TrimPrefix(w.URL, "http://"),
			"WATCHDOG_DATABASE_URL=" + s["DATABASE_URL"], "WATCHDOG_DATABASE_TIMEOUT=2s"}
		output, err := cmd.CombinedOutput()
		t.Logf("$ %s\n%s", line, output)
		if err != nil {
			require.Equal(t, 1, cmd.ProcessState.ExitCode(), line)
		}
	}
}
