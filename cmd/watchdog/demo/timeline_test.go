package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func newTimeline(width int, colour bool) (*timeline, *strings.Builder) {
	out := new(strings.Builder)
	start := time.Unix(0, 0)
	now := func() time.Time { return start.Add(1234 * time.Millisecond) }
	return &timeline{out: out, width: width, colour: colour, now: now, start: start}, out
}

func TestTimelineInAFile(t *testing.T) {
	line, out := newTimeline(0, false)
	line.act("Act 1. A title.")
	line.good("database", "job %d %s", 1914, strings.Repeat("is long ", 40))
	assert.Equal(t, "\nAct 1. A title.\n  1.23 s  database   job 1914 "+strings.Repeat("is long ", 40)+"\n", out.String())
}

func TestTimelineOnATerminal(t *testing.T) {
	line, out := newTimeline(45, false)
	line.say("/queue", "defer, tier 2, connected: its owner lives and goes on")
	assert.Equal(t, "  1.23 s  /queue     defer, tier 2,\n"+
		"                     connected: its owner\n"+
		"                     lives and goes on\n", out.String())
}

func TestTimelineOnANarrowTerminal(t *testing.T) {
	line, out := newTimeline(10, false)
	line.say("tree", "the head is ORCH-111")
	assert.Contains(t, out.String(), "the head is ORCH-111\n", "some room is always left for the text")
}

func TestTimelineHasColoursOnlyWhereAsked(t *testing.T) {
	line, out := newTimeline(80, true)
	line.bad("tree", "broken")
	assert.Contains(t, out.String(), red+"broken\x1b[0m\n")

	line, out = newTimeline(80, false)
	line.bad("tree", "broken")
	assert.NotContains(t, out.String(), "\x1b")
}

func TestWrapBreaksNoWord(t *testing.T) {
	line, _ := newTimeline(0, false)
	assert.Equal(t, []string{"ab cd", "efghijkl", "ä ü"}, line.wrap("ab cd efghijkl ä ü", 5))
}
