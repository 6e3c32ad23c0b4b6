package kubernetes

import (
	"bytes"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/yannh/kubeconform/pkg/validator"
)

// TestEveryManifest holds what is applied to a cluster against schemas and types.
func TestEveryManifest(t *testing.T) {
	valid := conforms(t)
	for _, folder := range []string{example, "testdata/existing", "testdata/older"} {
		for _, o := range build(t, folder) {
			assert.NoError(t, valid(o.yaml), "%s %s", o.kind, o.name)
			assert.NoError(t, decode(o.yaml, typed(t, o.kind)), "%s %s", o.kind, o.name)
		}
	}
}

// TestMistakesAreFound keeps TestEveryManifest from passing because it sees nothing.
func TestMistakesAreFound(t *testing.T) {
	valid := conforms(t)
	objects := build(t, example)
	for _, mistake := range []struct{ right, wrong string }{
		{"metadata:", "metaData:"},
		{"\n  name:", "\n  nam:"},
		{"spec:", "spec:\n  speck: 1"},
		{"restartPolicy: Always", "restartpolicy: Always"},
		{"terminationGracePeriodSeconds: 3600", "terminationGracePeriodSeconds: 1h"},
		{"endPort: 9913", "endport: 9913"},
		{"port: watchdog", "prot: watchdog"},
		{"replacement: finalizer-watchdog", "replacements: finalizer-watchdog"},
		{"expr:", "expression:"},
	} {
		made := 0
		for _, o := range objects {
			wrong := bytes.Replace(o.yaml, []byte(mistake.right), []byte(mistake.wrong), 1)
			if bytes.Equal(wrong, o.yaml) {
				continue
			}
			made++
			assert.Error(t, valid(wrong), "%s: %s", o.kind, mistake.wrong)
			assert.Error(t, decode(wrong, typed(t, o.kind)), "%s: %s", o.kind, mistake.wrong)
		}
		assert.Positive(t, made, mistake.right)
	}
}

// conforms is kubeconform with the schemas of Kubernetes and the Prometheus operator. It knows no other kind.
func conforms(t *testing.T) func(manifest []byte) error {
	t.Helper()
	location := filepath.Join(schemas(t), "{{.ResourceKind}}{{.KindSuffix}}.json")
	v, err := validator.New([]string{location}, validator.Opts{Strict: true})
	require.NoError(t, err)
	return func(manifest []byte) error {
		results := v.Validate("manifest", io.NopCloser(bytes.NewReader(manifest)))
		require.Len(t, results, 1)
		if results[0].Status != validator.Valid && results[0].Err == nil {
			t.Fatalf("kubeconform did not look: %v\n%s", results[0].Status, manifest)
		}
		return results[0].Err
	}
}
