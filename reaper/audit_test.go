package reaper

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
)

// TestAuditLine is the only place that tells where a finalizer was stuck once its job was reaped.
func TestAuditLine(t *testing.T) {
	var log bytes.Buffer
	r := &Reaper{Options: Options{Audit: slog.New(slog.NewTextHandler(&log, nil))}}
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	r.audit("reaped", watchdog.Judged{
		Job: watchdog.Job{ID: "1914", Run: "2207", Task: "ORCH-111", Stage: "deploy-staging", Attempt: 2,
			StartedAt: now.Add(-2 * time.Hour), FinishedAt: now.Add(-time.Hour)},
		Claim: watchdog.Claim{Owner: &watchdog.Owner{Name: "orchestrator-0", State: watchdog.Stalled,
			Proof: watchdog.ProofPidfd, PID: 17, Step: "merge-gate re-test"}},
		Verdict: watchdog.Verdict{Action: watchdog.Reap, Tier: watchdog.Tier3, Reason: watchdog.ReasonBackstop},
	}, watchdog.Instant{Rows: now}, "outcome", "committed")
	assert.Contains(t, log.String(), `msg=reaped job=1914 run=2207 task=ORCH-111 stage=deploy-staging attempt=2 tier=3 `+
		`reason=backstop age=2h0m0s finished_age=1h0m0s owner=orchestrator-0 owner_state=stalled proof=pidfd pid=17 `+
		`step="merge-gate re-test" outcome=committed`)
}
