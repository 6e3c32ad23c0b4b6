package release

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

type workflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Uses        string
		Permissions map[string]string
		Timeout     int `yaml:"timeout-minutes"`
		Steps       []struct{ Uses, Run string }
	}
}

// TestWorkflows: what runs with a token is named by its content, and may do no more than it needs.
func TestWorkflows(t *testing.T) {
	pinned := regexp.MustCompile(`@[0-9a-f]{40}$`)
	paths, err := filepath.Glob("../../.github/workflows/*.yml")
	require.NoError(t, err)
	require.Len(t, paths, 2)
	for _, path := range paths {
		w := readWorkflow(t, path)
		assert.Equal(t, map[string]string{"contents": "read"}, w.Permissions, path)
		for name, job := range w.Jobs {
			assert.True(t, job.Timeout > 0 || job.Uses != "", "%s: %s may run for ever", path, name)
			assert.False(t, job.Permissions["contents"] == "write" && job.Permissions["packages"] == "write", "%s: %s", path, name)
			for _, step := range job.Steps {
				assert.True(t, step.Uses == "" || pinned.MatchString(step.Uses), "%s: %s", path, step.Uses)
				assert.NotContains(t, step.Run, "${{", "%s: an expression in a script can be a script", path)
			}
		}
	}
}

// TestCIRunsTheSame: what holds a change on GitHub is what holds it elsewhere.
func TestCIRunsTheSame(t *testing.T) {
	steps := readWorkflow(t, "../../.github/workflows/ci.yml").Jobs["run"].Steps
	assert.Equal(t, ".ci/run", strings.TrimSpace(steps[len(steps)-1].Run))
	assert.Equal(t, "./.github/workflows/ci.yml", readWorkflow(t, "../../.github/workflows/release.yml").Jobs["ci"].Uses)
}

func readWorkflow(t *testing.T, path string) workflow {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	var w workflow
	require.NoError(t, yaml.Unmarshal(content, &w))
	return w
}
