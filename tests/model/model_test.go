package model

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// all reports whether what takes long is to be tested too.
func all() bool { return os.Getenv("WATCHDOG_TEST_ALL") != "" }

// world is a configuration of the model that has to hold, and what it is for.
type world struct {
	defines string
	small   bool // it takes a second or two
}

func worlds() []world {
	return []world{
		{defines: "FENCE RIVALS RUNS=1 NO_LOSSES", small: true},
		{defines: "FENCE"},
		{defines: "FENCE RIVALS RUNS=1"},
		{defines: "SPARE"},
		{defines: "SPARE RIVALS NO_CRASHES"},
		{defines: "LIVE"},
		{defines: "LIVE RIVALS"},
	}
}

// TestHolds looks at every state of the worlds in which nothing is taken away.
func TestHolds(t *testing.T) {
	for _, w := range worlds() {
		t.Run(strings.ReplaceAll(w.defines, " ", ","), func(t *testing.T) {
			if !w.small && !all() {
				t.Skip("takes up to two minutes; make test-all runs it")
			}
			found := newChecker(t, search{defines: strings.Fields(w.defines)}).search(t)
			assert.Empty(t, found.broken)
			assert.True(t, found.complete, "the search came to an end before all was seen")
			t.Log(found.figures())
		})
	}
}
