package prometheus

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// rule is a recording rule or an alert of rules.yml.
type rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

type ruleFile struct {
	Groups []struct {
		Name     string `yaml:"name"`
		Interval string `yaml:"interval,omitempty"`
		Rules    []rule `yaml:"rules"`
	} `yaml:"groups"`
}

func readRules(t testing.TB) *ruleFile {
	t.Helper()
	rules := &ruleFile{}
	readYAML(t, shipped(t, "prometheus/rules.yml"), rules)
	require.NotEmpty(t, rules.Groups)
	return rules
}

func (f *ruleFile) all() []rule {
	var all []rule
	for _, group := range f.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

func (f *ruleFile) alerts() map[string]rule {
	alerts := make(map[string]rule)
	for _, r := range f.all() {
		if r.Alert != "" {
			alerts[r.Alert] = r
		}
	}
	return alerts
}

// hasten makes every alert wait a six-hundredth of its time: a second for ten minutes. The groups are evaluated as
// often as Prometheus is told to. Nothing else is changed.
func (f *ruleFile) hasten(t testing.TB) {
	t.Helper()
	for g := range f.Groups {
		f.Groups[g].Interval = ""
		for i := range f.Groups[g].Rules {
			r := &f.Groups[g].Rules[i]
			if r.For == "" {
				continue
			}
			waits, err := time.ParseDuration(r.For)
			require.NoError(t, err)
			r.For = fmt.Sprintf("%dms", (waits / 600).Milliseconds())
		}
	}
}

func TestPromtool(t *testing.T) {
	t.Parallel()
	folder := shipped(t, "prometheus")
	promtool(t, folder, "check", "rules", "--lint=all", "--lint-fatal", "rules.yml")
	promtool(t, folder, "check", "config", "--lint=all", "--lint-fatal", "prometheus.yml")
	promtool(t, folder, "test", "rules", "rules_test.yml")
}

func readYAML(t testing.TB, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into), path)
}

func writeYAML(t testing.TB, path string, from any) string {
	t.Helper()
	text, err := yaml.Marshal(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o644))
	return path
}
