package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// printStatus prints the status reply of the watchdog on the socket as a reader at now sees it.
func printStatus(w io.Writer, socket string, d describe, now time.Time) {
	up := time.Duration(d.UptimeS * float64(time.Second))
	fmt.Fprintf(w, "watchdog %s, process %d, up %s\n\n", d.Version, d.PID, spoken(up))
	row := func(name, text string) { fmt.Fprintf(w, "%-10s %s\n", name, text) }
	row("socket", socket)
	row("switch", d.switchText())
	row("reaper", d.reaperText())
	row("database", d.databaseText())
	row("last pass", d.passText(now))
	row("owned", fmt.Sprintf("%s, %d of them stalled", plural(d.Owned, "job"), d.Stalled))
	row("sessions", d.sessionsText())
	row("pending", plural(d.PendingReaps, "reap")+" without a known outcome, or waiting for another try")
	fmt.Fprint(w, "\nsettings\n")
	for _, variable := range slices.Sorted(maps.Keys(d.Settings)) {
		fmt.Fprintf(w, "  %s\n", strings.TrimSpace(fmt.Sprintf("%-44s %s", variable, d.Settings[variable])))
	}
}

func (d *describe) switchText() string {
	if d.FinalizerLiveness {
		return "on: the ownership of finalizers that live is honoured"
	}
	return "OFF: ownership has no influence, age alone decides"
}

// reaperText tells what the reaper does, and what it doubts.
func (d *describe) reaperText() string {
	var said []string
	for _, part := range []struct {
		holds bool
		text  string
	}{
		{d.DryRun, "DRY RUN: it judges and writes nothing"},
		{d.away(), "waits for its database"},
		{d.Standby && !d.away(), "STANDS BY: it acts on proven deaths alone" + because(d.StandbyReason)},
		{!d.DryRun && !d.Standby && !d.away(), "acts"},
		{d.Braking, "BRAKES: too many at once without proof; see watchdog brake --help"},
		{d.ClockJump, "distrusts the rows' clock, which jumped"},
		{d.WarmingUp, "warms up: finalizers may be reconnecting"},
	} {
		if part.holds {
			said = append(said, part.text)
		}
	}
	return strings.Join(said, "; ")
}

// away reports whether the database did not answer. Who has its lock is not known then either.
func (d *describe) away() bool { return !d.DatabaseUp && d.LastPassAt != nil }

func because(reason *string) string {
	if reason == nil {
		return ""
	}
	return " (" + *reason + ")"
}

func (d *describe) databaseText() string {
	switch {
	case d.DatabaseUp:
		return "up"
	case d.away():
		return "AWAY: nothing is reaped until it is back"
	}
	return "not read yet"
}

func (d *describe) passText(now time.Time) string {
	switch {
	case d.LastPassAt == nil:
		return "none yet"
	case d.LastPassError != nil:
		return ago(now, *d.LastPassAt) + ", FAILED: " + *d.LastPassError
	}
	return ago(now, *d.LastPassAt)
}

func (d *describe) sessionsText() string {
	all := 0
	for _, n := range d.Sessions {
		all += n
	}
	of := func(p watchdog.Proof) int { return d.Sessions[string(p)] }
	return fmt.Sprintf("%d: the death of %d is proven by pidfd, of %d by pid, of %d by nothing", all,
		of(watchdog.ProofPidfd), of(watchdog.ProofPID), of(watchdog.ProofNone))
}
