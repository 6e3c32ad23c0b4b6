package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// The exit statuses of every subcommand but hold, which passes its command's on.
const (
	exitOK     = 0
	exitFailed = 1 // it found something wrong, or failed at run time
	exitUsage  = 2 // the settings or the arguments are wrong
)

// command is one start of a subcommand: what its caller gave it. main gives the process's own, a test what
// it likes; a subcommand takes nothing from elsewhere.
type command struct {
	entry  entry    // the subcommand; set by run
	args   []string // the arguments after its name
	env    []string // NAME=value, as in os.Environ
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	self   string // the path by which this program is started again; empty: it is not to be

	// notify is signal.Notify, for a subcommand that passes signals on. The context ends at the first SIGTERM
	// or SIGINT all the same: such a subcommand subscribes before it starts anything, works under
	// context.WithoutCancel, and is sent every signal, the second included.
	notify func(chan<- os.Signal, ...os.Signal)
}

// run runs the subcommand that c's first argument names, serve if none, and returns the exit status.
func run(ctx context.Context, c *command) int {
	name, rest := choose(c.args)
	if name == "help" {
		printHelp(c.stdout)
		return exitOK
	}
	e, ok := find(name)
	if !ok {
		fmt.Fprintf(c.stderr, "watchdog: unknown command %q%s\nRun watchdog help for the list.\n",
			name, didYouMean("", name, names()))
		return exitUsage
	}
	started := *c
	started.entry, started.args = e, rest
	return e.run(ctx, &started)
}

// choose tells which subcommand the arguments ask for, and what is left for it: help for the program's own
// help, serve where they begin with a flag or are none.
func choose(args []string) (name string, rest []string) {
	switch {
	case len(args) == 0:
		return "serve", nil
	case isHelp(args[0]) && (len(args) == 1 || isHelp(args[1])):
		return "help", nil
	case isHelp(args[0]):
		return args[1], []string{"--help"}
	case args[0] == "--version":
		return "version", args[1:]
	case strings.HasPrefix(args[0], "-"):
		return "serve", args
	}
	return args[0], args[1:]
}

func isHelp(arg string) bool {
	return arg == "help" || arg == "-h" || arg == "-help" || arg == "--help"
}

// getenv returns the value of one environment variable, empty when it is unset. Of two with the same name the
// first counts, as in os.Getenv.
func (c *command) getenv(name string) string {
	return lookup(c.env, name)
}

func lookup(env []string, name string) string {
	for _, pair := range env {
		if n, value, ok := strings.Cut(pair, "="); ok && n == name {
			return value
		}
	}
	return ""
}

// fail reports err on stderr and returns the exit status for it.
func (c *command) fail(err error) int {
	fmt.Fprintf(c.stderr, "watchdog %s: %v\n", c.entry.name, err)
	return exitFailed
}

// refuse reports on stderr what is wrong with the arguments and returns the exit status for it.
func (c *command) refuse(format string, args ...any) int {
	fmt.Fprintf(c.stderr, "watchdog %s: %s\nRun watchdog %[1]s --help for its usage.\n",
		c.entry.name, fmt.Sprintf(format, args...))
	return exitUsage
}

// refuseSettings reports on stderr what loadConfig found wrong and returns the exit status for it.
func (c *command) refuseSettings(err error) int {
	fmt.Fprintf(c.stderr, "watchdog %s: wrong settings:\n", c.entry.name)
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(c.stderr, "  %s\n", strings.TrimSuffix(line, "\n"))
	}
	return exitUsage
}
