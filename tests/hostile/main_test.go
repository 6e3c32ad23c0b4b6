package hostile

import (
	"os"
	"testing"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// The environment of a process that is to be a hostile peer, and not a test.
const (
	kindVariable   = "HOSTILE_KIND"
	socketVariable = "HOSTILE_SOCKET"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(kindVariable); kind != "" {
		os.Exit(misbehave(kind, os.Getenv(socketVariable)))
	}
	os.Exit(program.Run(m))
}

// full reports whether the figures are wanted, and not only that they can be had.
func full() bool { return os.Getenv("WATCHDOG_TEST_ALL") != "" }
