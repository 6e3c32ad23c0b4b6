package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// narrowest is how many columns a description needs beside the others; with fewer it stands below them.
const narrowest = 36

// printSettings prints the table of the settings, within the given width unless that is unlimited.
func printSettings(w io.Writer, width int) {
	rows := [][4]string{{"NAME", "DEFAULT", "UNIT", "DESCRIPTION"}}
	for _, s := range settings() {
		rows = append(rows, [4]string{s.variable, s.whenUnset(), s.unit, s.desc})
	}
	var widths [3]int
	for _, row := range rows {
		for i := range widths {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	left := widths[0] + widths[1] + widths[2] + 6 // two spaces after each
	if width != unlimited && width-left < narrowest {
		printNarrow(w, rows[1:], width)
		return
	}
	for _, row := range rows {
		desc := wrap(row[3], width-left)
		fmt.Fprintf(w, "%-*s  %-*s  %-*s  ", widths[0], row[0], widths[1], row[1], widths[2], row[2])
		fmt.Fprintln(w, strings.Join(desc, "\n"+strings.Repeat(" ", left)))
	}
}

// printNarrow prints each setting's name and default on one line and the rest below it.
func printNarrow(w io.Writer, rows [][4]string, width int) {
	const indent = "    "
	for _, row := range rows {
		fmt.Fprintln(w, join(row[0], row[1]))
		for _, line := range wrap(row[2]+": "+row[3], width-len(indent)) {
			fmt.Fprintln(w, indent+line)
		}
	}
}

// whenUnset says what an unset setting comes to; what is no value stands in parentheses.
func (s settingInfo) whenUnset() string {
	if s.unset != "" {
		return "(" + s.unset + ")"
	}
	return s.byDefault
}

// wrap breaks text at spaces into lines of at most width columns; a longer word stays whole. A width of 0 or
// less does not break it.
func wrap(text string, width int) []string {
	if width <= 0 {
		return []string{text}
	}
	var lines []string
	for word := range strings.FieldsSeq(text) {
		last := len(lines) - 1
		if last >= 0 && utf8.RuneCountInString(lines[last]+" "+word) <= width {
			lines[last] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}
