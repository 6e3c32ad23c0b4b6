package image

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// instruction is one of the Dockerfile, such as {"USER", "65532:65532"}.
type instruction struct{ name, text string }

// instructions reads the Dockerfile.
func instructions(t *testing.T) []instruction {
	t.Helper()
	content, err := os.ReadFile("../../Dockerfile")
	require.NoError(t, err)
	comments := regexp.MustCompile(`(?m)^\s*#.*\n`)
	text := strings.ReplaceAll(comments.ReplaceAllString(string(content), ""), "\\\n", " ")
	var all []instruction
	for line := range strings.Lines(text) {
		if name, rest, found := strings.Cut(strings.TrimSpace(line), " "); found {
			all = append(all, instruction{name, rest})
		}
	}
	return all
}

// shipped is the instructions of the last stage, the first of which is its FROM.
func shipped(t *testing.T) []instruction {
	t.Helper()
	all := instructions(t)
	for i, in := range slices.Backward(all) {
		if in.name == "FROM" {
			return all[i:]
		}
	}
	t.Fatal("the Dockerfile has no FROM")
	return nil
}

func TestTheImageHasTheProgramAndNoMore(t *testing.T) {
	stage := shipped(t)
	assert.Equal(t, instruction{"FROM", "scratch"}, stage[0])
	for _, want := range []instruction{
		{"USER", "65532:65532"},
		{"ENTRYPOINT", `["/watchdog"]`},
		{"CMD", `["serve"]`},
		{"EXPOSE", "9914"},
	} {
		assert.Contains(t, stage, want)
	}
	for _, in := range stage {
		assert.NotEqual(t, "RUN", in.name, "there is no shell to run it")
		if in.name == "COPY" {
			assert.True(t, strings.HasPrefix(in.text, "--from=build "), in.text)
		}
	}
}

func TestTheHealthCheckNeedsNoShell(t *testing.T) {
	i := slices.IndexFunc(shipped(t), func(in instruction) bool { return in.name == "HEALTHCHECK" })
	require.Positive(t, i)
	_, command, found := strings.Cut(shipped(t)[i].text, "CMD ")
	require.True(t, found)
	var words []string
	require.NoError(t, json.Unmarshal([]byte(command), &words), "a shell would run it: %s", command)
	assert.Equal(t, []string{"/watchdog", "status", "--quiet"}, words)
}

// TestTheImageOfGo compares the Go that compiles by default with the one that go.mod asks for.
func TestTheImageOfGo(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	release := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(mod))
	require.NotNil(t, release)
	assert.Equal(t, instruction{"ARG", "GO_IMAGE=docker.io/library/golang:" + release[1]}, instructions(t)[0])
}

// TestTheContextHasEveryPackage: what .dockerignore does not name is not there to be compiled.
func TestTheContextHasEveryPackage(t *testing.T) {
	content, err := os.ReadFile("../../.dockerignore")
	require.NoError(t, err)
	const module = "github.com/finalizer-watchdog/watchdog/"
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "../../cmd/watchdog")
	packages, err := list.Output()
	require.NoError(t, err)
	for path := range strings.Lines(string(packages)) {
		if folder, found := strings.CutPrefix(strings.TrimSpace(path), module); found {
			top, _, _ := strings.Cut(folder, "/")
			assert.Contains(t, string(content), "\n!"+top+"\n")
		}
	}
}
