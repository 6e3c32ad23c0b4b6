package model

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// safeguard is what the model does without, and the property that breaks then.
type safeguard struct {
	name    string // after WITHOUT_
	breaks  string
	defines string
}

func safeguards() []safeguard {
	return []safeguard{
		{"ORDER", "KEPT", "FENCE"},
		{"ORDER", "SPARED", "SPARE"},
		{"ORDER_REVOKE_FIRST", "UNTOUCHED", "SPARE"},
		{"ROW_CAS", "SPARED", "SPARE"},
		{"ROW_CAS", "ONCE", "FENCE"},
		{"OWNER_CAS", "SPARED", "SPARE"},
		{"OWNER_CAS", "KEPT", "FENCE"},
		{"REFUSAL", "KEPT", "FENCE"},
		{"REFUSAL", "SPARED", "SPARE"},
		{"REVOKED_RUNS", "TOLD", "FENCE"},
		{"RETRY", "ENDED", "LIVE"},
		{"HOLD", "KEPT", "FENCE"},
		{"HOLD", "ALONE", "FENCE"},
		{"HOLD_FILE", "KEPT", "FENCE"},
		{"HOLD_CEILING", "ENDED", "LIVE"},
		{"RESUME_CONFIRM", "KEPT", "FENCE"},
		{"FIRST_CONFIRM", "KEPT", "FENCE"},
		{"SETTLING", "KEPT", "FENCE"},
		{"WARMUP", "SPARED", "SPARE"},
		{"FRESH_LEASES", "SPARED", "SPARE"},
		{"PROOF", "SPARED", "SPARE"},
		{"SESSION_ORDER", "SPARED", "SPARE"},
		{"RUN_ORDER", "SPARED", "SPARE"},
		{"FRESH_NEWEST", "SPARED", "SPARE RUNS=3 NO_LOSSES"},
		{"BACKSTOP", "ENDED", "LIVE"},
	}
}

// TestSafeguards takes each safeguard away and shows that the model sees what it is for.
func TestSafeguards(t *testing.T) {
	if !all() {
		t.Skip("takes minutes; make test-all runs it")
	}
	for _, s := range safeguards() {
		t.Run(s.name+"/"+s.breaks, func(t *testing.T) {
			defines := append(strings.Fields(s.defines), "WITHOUT_"+s.name)
			checker := newChecker(t, search{defines: defines, only: s.breaks, shortly: true})
			found := checker.search(t)
			require.Equal(t, s.breaks, found.broken)
			t.Log("\n" + strings.Join(checker.story(t), "\n"))
		})
	}
}

// TestLimit shows what the program does not promise, as docs/guarantees.md tells: one of two finalizers of one run may be
// reaped alive after a restart.
func TestLimit(t *testing.T) {
	if !all() {
		t.Skip("make test-all runs it, with the others of its kind")
	}
	checker := newChecker(t, search{defines: []string{"SPARE", "RIVALS"}, only: "SPARED", shortly: true})
	require.Equal(t, "SPARED", checker.search(t).broken)
	t.Log("\n" + strings.Join(checker.story(t), "\n"))
}
