package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// timeline prints what happens as it happens: the seconds since the start, where it was read, and what was read.
type timeline struct {
	out    io.Writer
	width  int // columns; 0: no line is broken
	colour bool
	now    func() time.Time
	start  time.Time
}

// Styles of a terminal.
const (
	plain = ""
	bold  = "\x1b[1m"
	faint = "\x1b[2m"
	green = "\x1b[32m"
	red   = "\x1b[31m"
)

const (
	marginWidth = 21 // of the time and the source
	leastWidth  = 20 // of the text; a narrower terminal breaks the lines itself
)

func (t *timeline) act(title string) {
	fmt.Fprintln(t.out)
	for _, line := range t.wrap(title, t.width) {
		fmt.Fprintln(t.out, t.paint(bold, line))
	}
}

// say prints one line of the timeline. Source is where it was read.
func (t *timeline) say(source, format string, args ...any) { t.line(plain, source, format, args...) }

// good prints the line on which an act turns out as told.
func (t *timeline) good(source, format string, args ...any) { t.line(green, source, format, args...) }

// bad prints a line that tells of the incident.
func (t *timeline) bad(source, format string, args ...any) { t.line(red, source, format, args...) }

func (t *timeline) line(style, source, format string, args ...any) {
	margin := fmt.Sprintf("%6.2f s  %-9s  ", t.now().Sub(t.start).Seconds(), source)
	room := 0
	if t.width > 0 {
		room = max(t.width-marginWidth, leastWidth)
	}
	for _, text := range t.wrap(fmt.Sprintf(format, args...), room) {
		fmt.Fprintln(t.out, t.paint(faint, margin)+t.paint(style, text))
		margin = strings.Repeat(" ", marginWidth)
	}
}

// plain prints text that stands outside of the timeline.
func (t *timeline) plain(format string, args ...any) {
	for _, line := range t.wrap(fmt.Sprintf(format, args...), t.width) {
		fmt.Fprintln(t.out, line)
	}
}

func (t *timeline) paint(style, text string) string {
	if !t.colour || style == plain {
		return text
	}
	return style + text + "\x1b[0m"
}

// wrap breaks the text between words into lines of at most width; a word that is longer stands alone.
func (t *timeline) wrap(text string, width int) []string {
	if width <= 0 {
		return []string{text}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
