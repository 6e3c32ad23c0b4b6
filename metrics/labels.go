package metrics

import (
	"strconv"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// other is the label of every value from outside a list.
const other = "other"

func markResults() []string {
	return []string{"granted", "again", "resumed", "owned", "revoked", "overloaded", "unavailable", "refused", other}
}

func checkResults() []string {
	return []string{"ok", "revoked", "not-owner", "unavailable", other}
}

func releaseHows() []string {
	return []string{"clear", "died", "lost", "closed", "revoked", other}
}

func phases() []string {
	return []string{"read", "counts", "clock", "begin", "lock", "update", "commit", other}
}

func statuses() []string {
	return []string{watchdog.StatusQueued, watchdog.StatusRunning, watchdog.StatusDone, watchdog.StatusFailed, other}
}

func proofs() []watchdog.Proof {
	return []watchdog.Proof{watchdog.ProofPidfd, watchdog.ProofPID, watchdog.ProofNone}
}

func deferReasons() []string {
	var reasons []string
	for _, r := range watchdog.DeferReasons() {
		reasons = append(reasons, string(r))
	}
	return append(reasons, other)
}

func tiers() []string {
	return []string{tierLabel(watchdog.Tier1), tierLabel(watchdog.Tier2), tierLabel(watchdog.Tier3)}
}

func tierLabel(tier watchdog.Tier) string { return strconv.Itoa(int(tier)) }
