package bench

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// report is all figures of a run.
type report struct {
	machine  string
	sections []section
}

// section is one figure's table.
type section struct {
	title  string
	method string // how it was measured
	beside string // what stands beside it
	lines  []line
	notes  []string // what the table does not tell
}

// line is one row: the program's figure, what stands beside it, and their ratio.
type line struct {
	what, ours, beside string
	ratio              float64
	limit              limit
}

// limit bounds a ratio; the zero limit bounds nothing.
type limit struct {
	least, most float64
}

func (l limit) String() string {
	switch {
	case l.least > 0:
		return fmt.Sprintf("≥ %g", l.least)
	case l.most > 0:
		return fmt.Sprintf("≤ %g", l.most)
	}
	return ""
}

func (l limit) verdict(ratio float64) string {
	switch {
	case l == limit{}:
		return ""
	case ratio >= l.least && (l.most == 0 || ratio <= l.most):
		return "met"
	}
	return "**missed**"
}

func (s section) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n%s\n\n| | the watchdog | %s | ratio | limit | |\n| --- | --- | --- | --- | --- | --- |\n", s.title, s.method, s.beside)
	for _, l := range s.lines {
		ratio := ""
		if l.ratio != 0 {
			ratio = fmt.Sprintf("%.3g", l.ratio)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", l.what, l.ours, l.beside, ratio, l.limit, l.limit.verdict(l.ratio))
	}
	for _, n := range s.notes {
		fmt.Fprintf(&b, "\n%s\n", n)
	}
	return b.String()
}

func (r *report) markdown() string {
	parts := []string{r.machine}
	for _, s := range r.sections {
		parts = append(parts, s.markdown())
	}
	return strings.Join(parts, "\n")
}

// The figures stand in their document between two lines.
const (
	begin = "<!-- figures: written by make figures -->"
	end   = "<!-- end of figures -->"
)

// write puts the figures between the document's marks.
func (r *report) write(path string) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("write figures: %w", err)
	}
	head, rest, begun := strings.Cut(string(document), begin)
	_, tail, ended := strings.Cut(rest, end)
	if !begun || !ended {
		return fmt.Errorf("write figures: %s has no place for them: %s and %s", path, begin, end)
	}
	return os.WriteFile(path, []byte(head+begin+"\n\n"+r.markdown()+"\n"+end+tail), 0o644)
}

func TestReportIsWrittenBetweenItsMarks(t *testing.T) {
	path := t.TempDir() + "/performance.md"
	document := "# Title\n\n" + begin + "\nold\n" + end + "\n\nafter\n"
	require.NoError(t, os.WriteFile(path, []byte(document), 0o600))
	r := &report{machine: "A machine.", sections: []section{{title: "A", method: "So.", beside: "peer", lines: []line{
		{"speed", "9/s", "10/s", 0.9, limit{least: 0.8}}, {"size", "9", "3", 3, limit{most: 2}}, {"record", "9", "", 0, limit{}}}}}}
	for range 2 { // the second time too
		require.NoError(t, r.write(path))
	}
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "# Title\n\n"+begin+`

A machine.
### A

So.

| | the watchdog | peer | ratio | limit | |
| --- | --- | --- | --- | --- | --- |
| speed | 9/s | 10/s | 0.9 | ≥ 0.8 | met |
| size | 9 | 3 | 3 | ≤ 2 | **missed** |
| record | 9 |  |  |  |  |

`+end+"\n\nafter\n", string(written))

	require.NoError(t, os.WriteFile(path, []byte("no marks"), 0o600))
	require.ErrorContains(t, r.write(path), "no place")
}

// span tells a time with three digits.
func span(d time.Duration) string {
	for _, grain := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= 10*grain {
			return d.Round(grain / 10).String()
		}
	}
	return d.Round(10 * time.Nanosecond).String()
}

// count tells a number with its thousands apart.
func count(n float64) string {
	text := fmt.Sprintf("%.0f", n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}
