package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

const statusManual = `It asks over the socket. The exit status is 0 when the watchdog answers, whatever it says, else 1: a database that is
away is for an alert, not for a restart. --quiet prints nothing, for health checks; --json prints the reply as it came.`

func runStatus(ctx context.Context, c *command) int {
	fs := c.flags()
	socket := c.socketFlag(fs)
	asJSON := fs.Bool("json", false, "print the reply as one line of JSON")
	quiet := fs.Bool("quiet", false, "print nothing: only the exit status")
	if status, ok := c.parse(fs, 0, 0); !ok {
		return status
	}
	if *asJSON && *quiet {
		return c.refuse("--json and --quiet exclude each other")
	}
	line, err := askSocket(ctx, *socket, protocol.Request{Op: protocol.OpStatus})
	var d describe
	if err == nil && !*quiet {
		err = json.Unmarshal(line, &d)
	}
	switch {
	case *quiet && err != nil:
		return exitFailed
	case err != nil:
		return c.fail(err)
	case *asJSON:
		_, _ = c.stdout.Write(line)
	case !*quiet:
		printStatus(c.stdout, *socket, d, time.Now())
	}
	return exitOK
}

// plural is a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
