package prometheus

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAlertsSayWhatToDo holds every alert to its form. Its runbook is named like the alert, and has a part for each
// of the questions of somebody who was woken.
func TestAlertsSayWhatToDo(t *testing.T) {
	t.Parallel()
	const base = "https://github.com/finalizer-watchdog/watchdog/blob/main/docs/runbooks/"
	for name, alert := range readRules(t).alerts() {
		assert.Contains(t, []string{"critical", "warning"}, alert.Labels["severity"], name)
		assert.NotEmpty(t, alert.Annotations["description"], name)
		assert.Regexp(t, `^[A-Z].*[^.]\.$`, alert.Annotations["summary"], name)
		assert.Equal(t, base+name+".md", alert.Annotations["runbook_url"], name)
		text, err := os.ReadFile(filepath.Join("../../docs/runbooks", name+".md"))
		if !assert.NoError(t, err) {
			continue
		}
		for _, part := range []string{"# " + name + "\n", "\n## What it means\n", "\n## Look first\n", "\n## What to do\n",
			"\n## What not to do\n", "\n## Why it waits as long as it does\n"} {
			assert.Contains(t, string(text), part, name)
		}
	}
	books, err := filepath.Glob("../../docs/runbooks/*.md")
	require.NoError(t, err)
	assert.Len(t, books, len(readRules(t).alerts()), "a runbook for every alert, and no other")
}
