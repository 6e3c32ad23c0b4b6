package model

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// all reports whether what takes long is to be tested too.
func all() bool { return os.Getenv("WATCHDOG_TEST_ALL") != "" }

// world is a configuration of the model that has to hold.
type world struct {
	defines string
	small   bool // it takes a second or two
}

// worlds are as large as a search of a minute or two allows: rivals, lost connections and further claims multiply each
// other, so no world has all of them.
func worlds() []world {
	return []world{
		{defines: "FENCE RIVALS RUNS=1 NO_LOSSES", small: true},
		{defines: "FENCE"},
		{defines: "FENCE RIVALS RUNS=1"},
		{defines: "FENCE RIVALS NO_LOSSES"},
		{defines: "FENCE RUNS=3 NO_LOSSES"},
		{defines: "SPARE"},
		{defines: "SPARE RUNS=3 NO_LOSSES"},
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
