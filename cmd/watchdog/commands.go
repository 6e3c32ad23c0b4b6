package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"slices"
)

// entry describes one subcommand.
type entry struct {
	name     string
	args     string // its operands as help shows them, such as JOB or on|off
	summary  string // one line for the list of commands
	manual   string // what its own help says below the usage; may be empty
	settings bool   // its help ends with the table of settings
	run      func(context.Context, *command) int
}

// commands lists the subcommands in the order in which help shows them.
func commands() []entry {
	return []entry{
		{
			name:     "serve",
			summary:  "watch over the jobs; what runs when no command is named",
			settings: true,
			run:      runServe,
		},
		{
			name:    "demo",
			summary: "play the incident, how it is prevented, and how dead finalizers are recovered",
			manual:  demoManual,
			run:     runDemo,
		},
		{
			name:    "check",
			summary: "say what is wrong with the database or the statements, before anything runs",
			manual:  checkManual,
			run:     runCheck,
		},
		{
			name:    "status",
			summary: "tell what a running watchdog is doing",
			manual:  statusManual,
			run:     runStatus,
		},
		{
			name:    "explain",
			args:    "JOB",
			summary: "tell in sentences why a job is judged as it is, and what would change that",
			manual:  explainManual,
			run:     runExplain,
		},
		{
			name:    "hold",
			args:    "-- COMMAND…",
			summary: "run a command that owns a job",
			manual:  holdManual,
			run:     runHold,
		},
		{
			name:    "switch",
			args:    "on|off",
			summary: "turn the influence of ownership on or off, until the next restart",
			manual:  switchManual,
			run:     runSwitch,
		},
		{
			name:    "brake",
			args:    "release",
			summary: "let the reaper go on after it braked",
			manual:  brakeManual,
			run:     runBrake,
		},
		{
			name:    "version",
			summary: "print the version, the commit, the Go release and the platform",
			run:     runVersion,
		},
	}
}

func find(name string) (entry, bool) {
	all := commands()
	i := slices.IndexFunc(all, func(e entry) bool { return e.name == name })
	if i < 0 {
		return entry{}, false
	}
	return all[i], true
}

func names() []string {
	list := []string{"help"}
	for _, e := range commands() {
		list = append(list, e.name)
	}
	return list
}

// flags returns an empty set of flags for the subcommand to declare its own in.
func (c *command) flags() *flag.FlagSet {
	fs := flag.NewFlagSet(c.entry.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // parse reports
	return fs
}

// parse reads the arguments into fs and requires between low and high operands, which fs.Args then holds;
// a negative high sets no limit. When it returns false the subcommand is over, help having been printed or a
// fault reported, and the status is its exit status.
func (c *command) parse(fs *flag.FlagSet, low, high int) (status int, ok bool) {
	switch err := fs.Parse(c.args); {
	case errors.Is(err, flag.ErrHelp):
		printCommandHelp(c, fs)
		return exitOK, false
	case err != nil:
		return c.refuse("%v", err), false
	case fs.NArg() < low:
		return c.refuse("%s is missing", c.entry.args), false
	case high >= 0 && fs.NArg() > high:
		return c.refuse("unexpected argument %q", fs.Arg(high)), false
	}
	return exitOK, true
}
