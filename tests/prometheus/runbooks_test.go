package prometheus

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// TestRunbooks brings about what each alert is about, sees that it fires, and follows its runbook.
func TestRunbooks(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("some fifteen watchdogs in trouble; WATCHDOG_TEST_ALL is not set")
	}
	l := newLab(t)
	known := troubles()
	for alert := range readRules(t).alerts() {
		trouble, ok := known[alert]
		require.True(t, ok, "nothing brings %s about", alert)
		t.Run(alert, func(t *testing.T) {
			t.Parallel()
			if alert == "FinalizerWatchdogAbsent" {
				newLab(t).through(t, alert, trouble) // the other one has targets
				return
			}
			l.through(t, alert, trouble)
		})
	}
}

// through brings the trouble about and follows the runbook to its end.
func (l *lab) through(t *testing.T, alert string, trouble trouble) {
	t.Helper()
	w, s := trouble(t, l)
	program.Eventually(t, "it fires", func() bool { return l.firing(t, alert) })
	l.says(t, alert)
	l.follow(t, w, s, commands(t, alert, "Look first"))
	remedy := commands(t, alert, "What to do")
	if len(remedy) == 0 {
		return
	}
	l.follow(t, w, s, remedy)
	program.Eventually(t, "it is over", func() bool { return !l.firing(t, alert) })
}
