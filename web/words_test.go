package web_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inNode evaluates expressions with all that words.js and findings.js export, one a line of what it returns.
func inNode(t *testing.T, expressions ...string) []string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("page")))
	script := `import * as said from "./words.js"; import * as found from "./findings.js"; Object.assign(globalThis, said, found);
		console.log(` + strings.Join(expressions, "); console.log(") + `);`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "script.mjs"), []byte(script), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module"}`), 0o600))
	out, err := exec.Command("node", filepath.Join(dir, "script.mjs")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(out), "\u00a0", " "), "\n"), "\n")
}

func TestThePageSaysWhenAJobIsReaped(t *testing.T) {
	const now = `Date.parse("2026-03-14T12:00:00Z")`
	require.Equal(t, []string{
		"reaped by the next pass, due since 2026-03-14 11:58:00 UTC",
		"would be reaped by the next pass",
		"reaped in 1 min 30 s, at 2026-03-14 12:01:30 UTC",
		"null",
	}, inNode(t,
		`reapedWhen({action: "reap", reap_at: "2026-03-14T12:00:00Z", due_since: "2026-03-14T11:58:00Z"}, `+now+`, false)`,
		`reapedWhen({action: "reap", reap_at: "2026-03-14T12:00:00Z", due_since: null}, `+now+`, true)`,
		`reapedWhen({action: "defer", reap_at: "2026-03-14T12:01:30Z", due_since: null}, `+now+`, false)`,
		`reapedWhen({action: "wait", reap_at: null, due_since: null}, `+now+`, false)`,
	))
}

// A database that is away is told as that, and not as a standby too.
func TestThePageTellsAStandby(t *testing.T) {
	const view = `({failure: null, dataAge: 1, jobs: [], now: Date.parse("2026-03-14T12:00:01Z"), reaper: {finalizer_liveness_enabled: true,
		standby: true, standby_reason: "connection refused", database_up: UP, last_pass_error: FAULT, last_pass_at: "2026-03-14T12:00:00Z",
		last_success_at: null, finalizer_sessions: {none: 0}, clock_skew_s: 0, malformed_jobs: 0, settings: {}}})`
	told := func(up, fault string) string {
		return `findings(` + strings.NewReplacer("UP", up, "FAULT", fault).Replace(view) + `).map((f) => f.text).join("; ")`
	}
	require.Equal(t, []string{"Standing by: connection refused.", "The last pass failed: connection refused"},
		inNode(t, told("true", "null"), told("false", `"connection refused"`)))
}
