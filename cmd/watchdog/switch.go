package main

import (
	"context"
	"fmt"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

const switchManual = `On: the ownership of finalizers that live is honoured on the guarded stages. Off: ownership has no influence, and
jobs are reaped for their age alone; holds that were promised before are kept, and no new one is given.

It lasts until the watchdog restarts, which begins with WATCHDOG_REAPER_FINALIZER_LIVENESS_ENABLED. It is written
to the audit log, and shown by watchdog status. Only the watchdog's own user and root may do it.`

const (
	switchedOn  = "the switch is on: the ownership of finalizers that live is honoured on the guarded stages"
	switchedOff = "the switch is off: ownership has no influence, and jobs are reaped for their age alone; " +
		"holds that were promised before are kept"
)

func runSwitch(ctx context.Context, c *command) int {
	fs := c.flags()
	socket := c.socketFlag(fs)
	if status, ok := c.parse(fs, 1, 1); !ok {
		return status
	}
	var says string
	r := protocol.Request{Op: protocol.OpSwitch}
	switch to := fs.Arg(0); to {
	case "on":
		r.FinalizerLiveness, says = true, switchedOn
	case "off":
		says = switchedOff
	default:
		return c.refuse("%q is neither on nor off", to)
	}
	if _, err := askSocket(ctx, *socket, r); err != nil {
		return c.fail(err)
	}
	fmt.Fprintf(c.stdout, "%s\nit stays so until the watchdog restarts; "+
		"WATCHDOG_REAPER_FINALIZER_LIVENESS_ENABLED says how it begins then\n", says)
	return exitOK
}
