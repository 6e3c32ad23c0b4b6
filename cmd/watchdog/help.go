package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

const about = `watchdog keeps an orchestrator's reaper away from finalizers that are alive, and brings it at once to the
jobs of those that are dead.

usage: watchdog [COMMAND] [flags] [ARGUMENTS]

Without a command it serves. The commands:

`

// printHelp prints what watchdog help shows.
func printHelp(w io.Writer) {
	fmt.Fprint(w, about)
	for _, e := range commands() {
		fmt.Fprintf(w, "  %-16s %s\n", join(e.name, e.args), e.summary)
	}
	fmt.Fprint(w, "\nwatchdog COMMAND --help tells more of one; watchdog serve --help lists the settings.\n")
}

// printCommandHelp prints what watchdog COMMAND --help shows.
func printCommandHelp(c *command, fs *flag.FlagSet) {
	fmt.Fprintf(c.stdout, "usage: %s\n\n%s.\n", c.entry.usage(fs), c.entry.summary)
	if c.entry.manual != "" {
		fmt.Fprintf(c.stdout, "\n%s\n", c.entry.manual)
	}
	if hasFlags(fs) {
		fmt.Fprint(c.stdout, "\nflags:\n")
		fs.VisitAll(func(f *flag.Flag) { printFlag(c.stdout, f) })
	}
	if c.entry.settings {
		fmt.Fprint(c.stdout, "\nsettings (environment variables; an empty one counts as unset):\n\n")
		printSettings(c.stdout, terminalWidth(c.stdout))
	}
}

func printFlag(w io.Writer, f *flag.Flag) {
	operand, what := flag.UnquoteUsage(f)
	byDefault := ""
	if f.DefValue != "" && f.DefValue != "false" {
		byDefault = fmt.Sprintf(" (default %s)", f.DefValue)
	}
	fmt.Fprintf(w, "  --%-20s %s%s\n", join(f.Name, operand), what, byDefault)
}

func (e entry) usage(fs *flag.FlagSet) string {
	flags := ""
	if hasFlags(fs) {
		flags = "[flags]"
	}
	return join("watchdog", e.name, flags, e.args)
}

func hasFlags(fs *flag.FlagSet) bool {
	has := false
	fs.VisitAll(func(*flag.Flag) { has = true })
	return has
}

// join puts a space between the words that are not empty.
func join(words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}
