package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// capture returns a command with the given arguments, and what it will write.
func capture(e entry, args ...string) (c *command, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	return &command{entry: e, args: args, stdin: strings.NewReader(""), stdout: stdout, stderr: stderr}, stdout, stderr
}

func TestChoose(t *testing.T) {
	for _, test := range []struct {
		args string
		name string
		rest []string
	}{
		{"", "serve", nil},
		{"serve --x", "serve", []string{"--x"}},
		{"--x", "serve", []string{"--x"}},
		{"explain 1914", "explain", []string{"1914"}},
		{"help", "help", nil},
		{"-h", "help", nil},
		{"--help", "help", nil},
		{"help help", "help", nil},
		{"help explain", "explain", []string{"--help"}},
		{"explain --help", "explain", []string{"--help"}},
		{"--version", "version", []string{}},
	} {
		name, rest := choose(strings.Fields(test.args))
		assert.Equal(t, test.name, name, "watchdog %s", test.args)
		assert.Equal(t, test.rest, rest, "watchdog %s", test.args)
	}
}

func TestRunDispatches(t *testing.T) {
	c, stdout, stderr := capture(entry{}, "version")
	assert.Equal(t, exitOK, run(t.Context(), c))
	assert.Contains(t, stdout.String(), "platform linux/")
	assert.Empty(t, stderr)

	c, stdout, _ = capture(entry{}, "--help")
	assert.Equal(t, exitOK, run(t.Context(), c))
	for _, e := range commands() {
		assert.Contains(t, stdout.String(), e.name)
		assert.Contains(t, stdout.String(), e.summary)
	}
}

func TestRunRefusesAnUnknownCommand(t *testing.T) {
	c, stdout, stderr := capture(entry{}, "verson")
	assert.Equal(t, exitUsage, run(t.Context(), c))
	assert.Empty(t, stdout)
	assert.Contains(t, stderr.String(), `unknown command "verson"; did you mean version?`)
}

func TestEveryCommandHasHelp(t *testing.T) {
	for _, e := range commands() {
		c, stdout, stderr := capture(entry{}, e.name, "--help")
		assert.Equal(t, exitOK, run(t.Context(), c), e.name)
		assert.Contains(t, stdout.String(), "usage: watchdog "+e.name)
		assert.Contains(t, stdout.String(), e.summary)
		assert.Empty(t, stderr, e.name)

		c, _, stderr = capture(entry{}, e.name, "--no-such-flag")
		assert.Equal(t, exitUsage, run(t.Context(), c), e.name)
		assert.Contains(t, stderr.String(), "no-such-flag")
	}
}

func TestParseCountsOperands(t *testing.T) {
	explain := entry{name: "explain", args: "JOB"}
	for _, test := range []struct {
		args   string
		status int
		ok     bool
		stderr string
	}{
		{"1914", exitOK, true, ""},
		{"", exitUsage, false, "watchdog explain: JOB is missing\nRun watchdog explain --help for its usage.\n"},
		{"1914 1915", exitUsage, false, "watchdog explain: unexpected argument \"1915\"\nRun watchdog explain --help for its usage.\n"},
		{"--help", exitOK, false, ""},
	} {
		c, _, stderr := capture(explain, strings.Fields(test.args)...)
		status, ok := c.parse(c.flags(), 1, 1)
		assert.Equal(t, test.status, status, test.args)
		assert.Equal(t, test.ok, ok, test.args)
		assert.Equal(t, test.stderr, stderr.String())
	}

	c, _, _ := capture(explain, "1", "2", "3")
	_, ok := c.parse(c.flags(), 1, -1)
	assert.True(t, ok, "a negative limit is none")
}

func TestFailures(t *testing.T) {
	c, _, stderr := capture(entry{name: "check"})
	assert.Equal(t, exitFailed, c.fail(errors.New("open database: refused")))
	assert.Equal(t, "watchdog check: open database: refused\n", stderr.String())

	stderr.Reset()
	assert.Equal(t, exitUsage, c.refuseSettings(errors.New("one\ntwo")))
	assert.Equal(t, "watchdog check: wrong settings:\n  one\n  two\n", stderr.String())
}

func TestGetenvTakesTheFirst(t *testing.T) {
	c := &command{env: []string{"AB=0", "A=", "B=x=y", "B=z"}}
	assert.Equal(t, "", c.getenv("A"))
	assert.Equal(t, "x=y", c.getenv("B"))
	assert.Equal(t, "", c.getenv("C"))
}

func TestDidYouMean(t *testing.T) {
	known := []string{"serve", "status", "switch", "explain"}
	assert.Equal(t, "; did you mean status?", didYouMean("", "stats", known))
	assert.Equal(t, "; did you mean switch?", didYouMean("", "swicth", known))
	assert.Empty(t, didYouMean("", "frobnicate", known))
	assert.Equal(t, 3, distance("kitten", "sitting"))
	assert.Equal(t, 4, distance("", "four"))

	var variables []string
	for _, s := range settings() {
		variables = append(variables, s.variable)
	}
	assert.Equal(t, "; did you mean WATCHDOG_REAPER_FINALIZE_GRACE?",
		didYouMean(prefix, "WATCHDOG_FINALIZE_GRACE", variables), "a part is missing")
	assert.Empty(t, didYouMean(prefix, "WATCHDOG_FOO", variables), "the prefix makes nothing alike")
}
