package model

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// search is one look at the model.
type search struct {
	defines []string // of the preprocessor
	only    string   // the property looked at; empty: all
	shortly bool     // breadth first: what goes wrong is shown by the shortest run, but it takes more memory
}

// Memory is bounded for pan by itself, which says so when it has come to it.
const memory = 2900 // MB

// checker is a program that looks at every state, made by spin and the C compiler.
type checker struct {
	folder, model string
	flags         []string // of spin
	path          string
	eternal       bool // it looks for what goes on for ever too
}

// newChecker makes the program in a folder of its own.
func newChecker(t *testing.T, s search, options ...string) checker {
	t.Helper()
	model, err := filepath.Abs("ownership.pml")
	require.NoError(t, err)
	c := checker{folder: t.TempDir(), model: model}
	c.path = filepath.Join(c.folder, "pan")
	for _, define := range s.defines {
		c.flags = append(c.flags, "-D"+define)
		c.eternal = c.eternal || define == "LIVE"
	}
	if number, ok := numbers(t)[s.only]; ok {
		c.flags = append(c.flags, "-DONLY="+strconv.Itoa(number))
	}
	c.run(t, "spin", append(c.flags, "-a", model)...)
	cc := append([]string{"-O1", "-o", c.path, "-DNOREDUCE", "-DVECTORSZ=512", "-DMEMLIM=" + strconv.Itoa(memory)}, options...)
	switch {
	case c.eternal:
		cc = append(cc, "-DNFAIR=4")
	case s.shortly:
		cc = append(cc, "-DSAFETY", "-DBFS")
	default:
		cc = append(cc, "-DSAFETY")
	}
	c.run(t, cmp.Or(os.Getenv("CC"), "gcc"), append(cc, filepath.Join(c.folder, "pan.c"))...)
	return c
}

// command is the search itself: with as deep a stack as any needs, and, where only properties of states are asked for, no
// complaint about those in which nothing more happens.
func (c checker) command(ctx context.Context) *exec.Cmd {
	args := []string{"-m1000000", "-w22", "-E"}
	if c.eternal {
		args = []string{"-m1000000", "-w22", "-a", "-f"}
	}
	cmd := exec.CommandContext(ctx, c.path, args...)
	cmd.Dir = c.folder
	return cmd
}

// run runs a program that has to come out well, and returns what it prints.
func (c checker) run(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = c.folder
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s (make deps installs what is missing): %s", cmd, output)
	return string(output)
}

// found is what a search came to.
type found struct {
	broken   string // the property that does not hold; empty: all do
	complete bool   // every state was looked at
	text     string
}

func (c checker) search(t *testing.T) found {
	t.Helper()
	output, err := c.command(t.Context()).CombinedOutput()
	require.NoError(t, err, "%s", output)
	return read(t, output)
}

var violated = regexp.MustCompile(`assertion violated \(\(\d+&&\(\d+!=(\d+)\)\)`)

// read reads a report of pan's.
func read(t *testing.T, output []byte) found {
	t.Helper()
	f := found{text: string(output)}
	require.Regexp(t, `errors: \d+\n`, f.text)
	f.complete = !bytes.Contains(output, []byte("Search not completed")) &&
		!bytes.Contains(output, []byte("max search depth too small"))
	switch match := violated.FindStringSubmatch(f.text); {
	case match != nil:
		for name, number := range numbers(t) {
			if strconv.Itoa(number) == match[1] {
				f.broken = name
			}
		}
	case strings.Contains(f.text, "acceptance cycle"):
		f.broken = "ENDED"
	default:
		require.Contains(t, f.text, "errors: 0\n")
	}
	return f
}

var property = regexp.MustCompile(`(?m)^#define ([A-Z]+) +(\d) /\*`)

// numbers are the properties by the names that the model gives them.
func numbers(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile("ownership.pml")
	require.NoError(t, err)
	head, _, _ := strings.Cut(string(text), "#ifndef ONLY")
	names := make(map[string]int)
	for _, match := range property.FindAllStringSubmatch(head, -1) {
		names[match[1]], err = strconv.Atoi(match[2])
		require.NoError(t, err)
	}
	return names
}

// story is what happens, step by step, until the property is broken.
func (c checker) story(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "spin", append(c.flags, "-t", "-k", "ownership.pml.trail", c.model)...)
	cmd.Dir = c.folder
	output, _ := cmd.CombinedOutput() // its exit status is that of the simulated program
	var steps []string
	for line := range strings.Lines(string(output)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "spin: trail ends") {
			break
		}
		steps = append(steps, line)
	}
	return steps
}

var figure = regexp.MustCompile(`(?m)^.*(depth reached|states, stored|total actual memory usage|elapsed time).*$`)

// figures are how much was looked at, and what it took.
func (f found) figures() string { return strings.Join(figure.FindAllString(f.text, -1), "\n") }
