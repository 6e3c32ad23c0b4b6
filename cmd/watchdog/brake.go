package main

import (
	"context"
	"fmt"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

const brakeManual = `The reaper brakes when, within one grace, more than WATCHDOG_REAPER_BRAKE_RATIO of the open jobs (and at least
WATCHDOG_REAPER_BRAKE_MIN) would be reaped for their age alone: so many finalizers at once are likelier our mistake
than theirs. Look at a few with watchdog explain before you release it.

Released, it lets all of them be reaped. It is armed again as soon as it would not brake any more, and by a restart.
It is written to the audit log. Only the watchdog's own user and root may do it.`

func runBrake(ctx context.Context, c *command) int {
	fs := c.flags()
	socket := c.socketFlag(fs)
	if status, ok := c.parse(fs, 1, 1); !ok {
		return status
	}
	if what := fs.Arg(0); what != "release" {
		return c.refuse("%q is not release", what)
	}
	if _, err := askSocket(ctx, *socket, protocol.Request{Op: protocol.OpReleaseBrake}); err != nil {
		return c.fail(err)
	}
	fmt.Fprint(c.stdout, "the brake is released: jobs are reaped for their age again, however many\n"+
		"it is armed again as soon as it would not brake any more, and when the watchdog restarts\n")
	return exitOK
}
