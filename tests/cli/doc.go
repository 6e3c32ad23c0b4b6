// Package cli tests the subcommands of the built watchdog as processes, beside one that serves: what they print, how
// they exit, and that hold and its command live and die together.
package cli
