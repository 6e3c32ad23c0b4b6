package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOneVersion is about parts that are released together: what of them an operator or a developer names.
func TestOneVersion(t *testing.T) {
	named := make(map[string]string)
	for file, pattern := range map[string]string{
		"deploy/kubernetes/sidecar/kustomization.yaml": `newTag: v(.+)`,
		"clients/python/finalizer_liveness.py":         `__version__ = "(.+)"`,
		"clients/node/package.json":                    `"version": "(.+)"`,
		"docs/kubernetes.md":                           `git checkout v([0-9.]+)`,
	} {
		text, err := os.ReadFile(filepath.Join("..", file))
		require.NoError(t, err)
		found := regexp.MustCompile(pattern).FindSubmatch(text)
		require.NotNil(t, found, file)
		named[string(found[1])] = file
	}
	assert.Len(t, named, 1, "%v", named)
}
