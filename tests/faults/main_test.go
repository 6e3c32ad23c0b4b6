package faults

import (
	"os"
	"testing"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// ledgerVariable names the ledger to a process that is to be a finalizer, and not a test.
const ledgerVariable = "FAULTS_LEDGER"

func TestMain(m *testing.M) {
	if path := os.Getenv(ledgerVariable); path != "" {
		os.Exit(beFinalizer(path))
	}
	os.Exit(program.Run(m))
}

// full reports whether all kinds of faults are wanted, and many.
func full() bool { return os.Getenv("WATCHDOG_TEST_ALL") != "" }
