package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEverySettingHasAManual(t *testing.T) {
	for _, s := range settings() {
		assert.True(t, strings.HasPrefix(s.variable, prefix), s.variable)
		assert.NotEmpty(t, s.unit, s.variable)
		assert.True(t, strings.HasSuffix(s.desc, "."), s.variable)
		assert.False(t, s.byDefault != "" && s.unset != "", s.variable)
	}
}

func TestSettingsTable(t *testing.T) {
	var wide, terminal, narrow bytes.Buffer
	printSettings(&wide, unlimited)
	printSettings(&terminal, 150)
	printSettings(&narrow, 80)

	rows := strings.Split(strings.TrimSpace(wide.String()), "\n")
	require.Len(t, rows, 1+len(settings()), "a row a setting")
	assert.Regexp(t, `^NAME +DEFAULT +UNIT +DESCRIPTION$`, rows[0])
	for i, s := range settings() {
		assert.Equal(t, s.variable, strings.Fields(rows[i+1])[0])
		assert.Contains(t, rows[i+1], " "+s.unit+" ")
		assert.True(t, strings.HasSuffix(rows[i+1], "  "+s.desc))
		assert.Contains(t, rows[i+1], s.whenUnset())
		assert.Contains(t, narrow.String(), join(s.variable, s.whenUnset())+"\n    "+s.unit+": ")
	}
	assertFits(t, 150, terminal.String())
	assertFits(t, 80, narrow.String())
	assert.Equal(t, words(wide.String()), words(terminal.String()), "wrapping loses nothing")
}

func TestCommandHelp(t *testing.T) {
	c, stdout, _ := capture(entry{name: "hold", args: "COMMAND…", summary: "run a command", manual: "It dies with hold.", settings: true},
		"--help")
	fs := c.flags()
	fs.String("job", "", "the job's `ID`")
	fs.Int("tries", 3, "how often")
	fs.Bool("require", false, "fail without a watchdog")
	_, ok := c.parse(fs, 0, -1)
	assert.False(t, ok)

	help := stdout.String()
	assert.True(t, strings.HasPrefix(help, "usage: watchdog hold [flags] COMMAND…\n\nrun a command.\n\nIt dies with hold.\n\nflags:\n"))
	assert.Regexp(t, `(?m)^  --job ID +the job's ID$`, help)
	assert.Regexp(t, `(?m)^  --tries int +how often \(default 3\)$`, help)
	assert.Regexp(t, `(?m)^  --require +fail without a watchdog$`, help)
	assert.Contains(t, help, "WATCHDOG_LOG_FORMAT")
}

// TestReadmeListsTheSettings compares the table in README.md with the tags of Config.
func TestReadmeListsTheSettings(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	var table strings.Builder
	table.WriteString("| variable | default | unit | |\n| --- | --- | --- | --- |\n")
	for _, s := range settings() {
		byDefault := s.unset
		if s.byDefault != "" {
			byDefault = "`" + s.byDefault + "`"
		}
		table.WriteString("| `" + s.variable + "` | " + byDefault + " | " + s.unit + " | " + s.desc + " |\n")
	}
	_, rest, found := strings.Cut(string(readme), "| variable |")
	require.True(t, found, "README.md has no table of settings")
	got, _, _ := strings.Cut("| variable |"+rest, "\n\n")
	assert.Equal(t, strings.TrimSpace(table.String()), strings.TrimSpace(got))
}

func assertFits(t *testing.T, width int, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), width, line)
	}
}

func words(text string) string { return strings.Join(strings.Fields(text), " ") }
