// Command watchdog keeps an orchestrator's reaper away from finalizers that are alive, and brings it at once
// to the jobs of those that are dead.
//
// main and run stand for the process: arguments, environment, signals, exit status. Each subcommand is one
// function in a file of its own, listed in commands.go. The settings are one struct, Config, read and
// checked as a whole before anything is opened.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(runProcess()) }

// runProcess runs the program as this process. SIGTERM and SIGINT end its context; a second one ends the
// process, for whoever does not want to wait.
func runProcess() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, &command{
		args:   os.Args[1:],
		env:    os.Environ(),
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
		self:   "/proc/self/exe", // also when another file has taken its place
		notify: signal.Notify,
	})
}
