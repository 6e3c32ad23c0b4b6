package main

import (
	"context"
	"os"
	"path/filepath"
	"syscall"

	"github.com/finalizer-watchdog/watchdog/cmd/watchdog/demo"
)

const demoManual = `It starts a watchdog and two small orchestrators over a SQLite database in a temporary folder, and plays:

  1. the switch is off: the reaper re-runs a live finalizer, and a false rollback follows
  2. the switch is on: the same job is deferred, finalized once and merged
  3. a finalizer is killed, and its job recovered at once; another is stopped, meets the backstop, and does not
     merge when it goes on

What it prints was read from the database, /metrics and /queue at that moment. The exit status is 0 only if all
came out as told. Then it goes on serving, so that its pages can be looked at, until Ctrl-C.`

func runDemo(ctx context.Context, c *command) int {
	if len(c.args) == 3 && c.args[0] == demo.OrchestratorCommand {
		if err := demo.Orchestrate(ctx, c.args[1], c.args[2], c.stderr); err != nil {
			return c.fail(err)
		}
		return exitOK
	}
	o := demo.Options{Out: c.stdout, Width: terminalWidth(c.stdout)}
	fs := c.flags()
	fs.StringVar(&o.Dir, "dir", "", "play in the empty `FOLDER` and keep it")
	fs.BoolVar(&o.Keep, "keep", false, "keep the temporary folder")
	fs.StringVar(&o.Listen, "listen", "127.0.0.1:0", "serve the pages at `HOST:PORT`; port 0: a free one")
	fs.BoolVar(&o.Once, "once", false, "end after the acts")
	if status, ok := c.parse(fs, 0, 0); !ok {
		return status
	}
	o.Colour = o.Width != unlimited && c.getenv("NO_COLOR") == "" && c.getenv("TERM") != "dumb"
	if o.Dir != "" {
		dir, err := filepath.Abs(o.Dir)
		if err != nil {
			return c.fail(err)
		}
		o.Dir = dir
	}
	// A pipe that nobody reads any more is to end the demo, not this process: there is a folder to remove.
	c.notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if err := demo.Run(ctx, o); err != nil {
		return c.fail(err)
	}
	return exitOK
}
