package model

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var printed = regexp.MustCompile(`printf\("(.*?)\\n"`)

// steps are what the model says of its steps, as patterns.
func steps(t *testing.T) map[string]*regexp.Regexp {
	t.Helper()
	files, err := filepath.Glob("*.pml")
	require.NoError(t, err)
	patterns := make(map[string]*regexp.Regexp)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range printed.FindAllStringSubmatch(string(text), -1) {
			said := strings.ReplaceAll(regexp.QuoteMeta(match[1]), "%d", `\d+`)
			patterns[match[1]] = regexp.MustCompile(said + `$`)
		}
	}
	return patterns
}

// TestSteps keeps the model from holding because something never happens in it: each step is taken in some run. Spin itself
// does not tell that of steps that are taken as one.
func TestSteps(t *testing.T) {
	if !all() {
		t.Skip("takes some seconds; make test-all runs it")
	}
	never := steps(t)
	require.NotEmpty(t, never)
	take(t, search{defines: []string{"LIVE"}}, never)
	take(t, search{defines: []string{"RIVALS"}, shortly: true}, never)
	for step := range never {
		t.Errorf("never happens: %s", step)
	}
}

// Wandered is how many steps are looked at in one world: in each many others are taken again and again.
const wandered = 5_000_000

// take goes through the model's runs, and leaves of the steps those that are not taken.
func take(t *testing.T, s search, never map[string]*regexp.Regexp) {
	t.Helper()
	checker := newChecker(t, s, "-DPRINTF")
	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	cmd := checker.command(ctx)
	said, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	seen := make(map[string]bool)
	lines := bufio.NewScanner(said)
	for n := 0; n < wandered && len(never) > 0 && lines.Scan(); n++ {
		if line := lines.Text(); !seen[line] {
			seen[line] = true
			strike(never, line)
		}
	}
	enough()
	_, err = io.Copy(io.Discard, said)
	assert.NoError(t, err)
	_ = cmd.Wait() // it was killed when all was seen
}

func strike(never map[string]*regexp.Regexp, line string) {
	for step, pattern := range never {
		if pattern.MatchString(line) {
			delete(never, step)
		}
	}
}
