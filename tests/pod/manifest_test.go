package pod

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// manifest is what the tests need of the pod's template.
type manifest struct {
	Security struct {
		FSGroup int `yaml:"fsGroup"`
	} `yaml:"securityContext"`
	InitContainers []sidecar `yaml:"initContainers"`
	Containers     []sidecar `yaml:"containers"`
	Volumes        []struct {
		Name   string `yaml:"name"`
		Secret *struct {
			DefaultMode os.FileMode `yaml:"defaultMode"`
		} `yaml:"secret"`
	} `yaml:"volumes"`
}

type sidecar struct {
	Args []string `yaml:"args"`
	Env  []struct {
		Name  string `yaml:"name"`
		Value string `yaml:"value"`
	} `yaml:"env"`
	Startup   probe `yaml:"startupProbe"`
	Readiness probe `yaml:"readinessProbe"`
	Liveness  probe `yaml:"livenessProbe"`
	Resources struct {
		Limits struct{ CPU, Memory string } `yaml:"limits"`
	} `yaml:"resources"`
	Security struct {
		User     int  `yaml:"runAsUser"`
		Group    int  `yaml:"runAsGroup"`
		ReadOnly bool `yaml:"readOnlyRootFilesystem"`
		Escalate bool `yaml:"allowPrivilegeEscalation"`
	} `yaml:"securityContext"`
	Mounts []struct {
		Name     string `yaml:"name"`
		At       string `yaml:"mountPath"`
		ReadOnly bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTP struct {
		Path string `yaml:"path"`
	} `yaml:"httpGet"`
	Period  int `yaml:"periodSeconds"`
	Allowed int `yaml:"failureThreshold"`
}

// read reads a workload of deploy/kubernetes.
func read(t *testing.T, name string) manifest {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../deploy/kubernetes", name))
	require.NoError(t, err)
	var workload struct {
		Spec struct {
			Template struct {
				Spec manifest `yaml:"spec"`
			} `yaml:"template"`
		} `yaml:"spec"`
	}
	require.NoError(t, yaml.Unmarshal(content, &workload))
	return workload.Spec.Template.Spec
}

// TestProbesSpareTheOrchestrator: a sidecar's readiness is its pod's, so what a restart can mend is restarted before
// the pod counts as unready for it.
func TestProbesSpareTheOrchestrator(t *testing.T) {
	w := read(t, "sidecar/pod.yaml").InitContainers[0]
	assert.Greater(t, w.Readiness.Period*w.Readiness.Allowed, w.Liveness.Period*w.Liveness.Allowed)
	assert.Equal(t, "/readyz", w.Startup.HTTP.Path, "the orchestrator starts when the socket is there")
	assert.Equal(t, "/healthz", w.Liveness.HTTP.Path)
}

// TestPrometheusRule compares the rules for the operator with those for Prometheus.
func TestPrometheusRule(t *testing.T) {
	rules, err := os.ReadFile("../../deploy/prometheus/rules.yml")
	require.NoError(t, err)
	_, groups, found := strings.Cut(string(rules), "\ngroups:\n")
	require.True(t, found)
	const path = "../../deploy/kubernetes/monitoring/prometheus-rule.yaml"
	manifest, err := os.ReadFile(path)
	require.NoError(t, err)
	head, _, found := strings.Cut(string(manifest), "\nspec:\n")
	require.True(t, found)
	want := head + "\nspec:\n  groups:\n" + regexp.MustCompile(`(?m)^.`).ReplaceAllString(groups, "  $0")
	if os.Getenv("WATCHDOG_UPDATE") != "" {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	if want != string(manifest) {
		t.Errorf("%s is not as rules.yml; write it anew: WATCHDOG_UPDATE=1 go test -run TestPrometheusRule ./tests/pod", path)
	}
}
