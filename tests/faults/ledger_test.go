package faults

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/liveness"
)

// What a line of the ledger tells.
const (
	claimed = "claimed" // a finalizer has claimed the job under a new run
	act     = "act"     // it begins to act inside its hold, which ends at Until
	done    = "done"    // the act that it began is over
	closed  = "closed"  // it closed the job, and the row was its own
	cleared = "cleared" // it is about to let go of the job, and so of its hold
	revoked = "revoked" // it was told that the job is not its own any more
	stopped = "stopped" // the process was stopped
	went    = "went on" // the stopped process goes on
	started = "started" // the watchdog was started
	fault   = "fault"   // something was done to somebody
)

// line is one line of the ledger. Its instants are on CLOCK_BOOTTIME.
type line struct {
	At    time.Duration
	What  string
	PID   int           `json:",omitempty"`
	Job   int64         `json:",omitempty"`
	Run   int64         `json:",omitempty"`
	Key   string        `json:",omitempty"` // of the finalization: another one has another token
	Until time.Duration `json:",omitempty"`
	Why   string        `json:",omitempty"`
	// Granted says of who was revoked that the watchdog had granted it the job, and Mine that the row still is as
	// it claimed it.
	Granted, Mine bool `json:",omitempty"`
}

// ledger is a file to which many processes append.
type ledger struct{ file *os.File }

func openLedger(path string) (ledger, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return ledger{f}, err
}

// write appends one line, stamped before it is written, and returns when it is on the disk.
func (l ledger) write(e line) error {
	e.At = liveness.Boottime()
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := l.file.Write(append(text, '\n')); err != nil {
		return err
	}
	return l.file.Sync()
}

func readLedger(t *testing.T, path string) []line {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var all []line
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e line
		require.NoError(t, json.Unmarshal(lines.Bytes(), &e), lines.Text())
		all = append(all, e)
	}
	return all
}
