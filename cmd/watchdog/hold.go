package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

const holdManual = `It marks the job, runs the command, clears the job when the command has ended, and passes its exit status on: 128+n
when signal n ended it, 127 when there is no such command, 126 when it cannot be run. SIGTERM, SIGINT, SIGHUP, SIGQUIT,
SIGUSR1 and SIGUSR2 are passed on to the command's process group.

It exits with 1, without running the command, when another finalizer owns the job, or the job is closed or another
run's by now. Without a watchdog it says so and runs the command all the same, unless --require is given.

When hold dies, the command and all of its process group are killed, by the kernel and by a guard, a second process that
hold starts; what has left the group, and all of it where both are killed at once, may go on. When the job is taken
away while the command runs, hold says so on standard error and, with --kill-on-revoke, ends the command's process
group: SIGTERM, and SIGKILL five seconds later. The command is in a group of its own, which has the terminal if hold was
started in its foreground; Ctrl-Z stops hold too, and the ownership counts as stalled until fg.`

const (
	// holdPatience is how long hold waits for one answer: the watchdog may have to ask its database.
	holdPatience = 2 * time.Second
	// firstHold is what hold asks for before it runs the command: little, for a recovery would wait for its end.
	firstHold = time.Second
	// killAfter is how long a command has to end itself after its job was taken away.
	killAfter = 5 * time.Second
)

// holding is one start of hold.
type holding struct {
	*command
	job          client.Job
	step         string
	budget       time.Duration
	socket       string
	require      bool
	killOnRevoke bool
	killAfter    time.Duration
	argv         []string
	signals      chan os.Signal
}

func runHold(ctx context.Context, c *command) int {
	if len(c.args) == 1 && c.args[0] == guardCommand {
		return runGuard(c)
	}
	h := &holding{command: c, killAfter: killAfter}
	if status, ok := h.parseFlags(); !ok {
		return status
	}
	h.signals = make(chan os.Signal, 16)
	c.notify(h.signals, passedOn()...)
	// A signal is the command's to answer: hold ends when the command has.
	return h.run(context.WithoutCancel(ctx))
}

func (h *holding) parseFlags() (status int, ok bool) {
	fs := h.flags()
	fs.StringVar(&h.job.ID, "job", "", "the `ID` of the job; required")
	fs.StringVar(&h.job.Run, "run", "", "the `ID` of the run that is finalized; required")
	fs.StringVar(&h.job.Key, "key", "", "the `NAME` of this one finalization; without it: a random one")
	fs.StringVar(&h.job.Task, "task", "", "the `NAME` of the job's task, for people")
	fs.StringVar(&h.job.Stage, "stage", "", "the job's `STAGE`, for people: the database has the word")
	fs.StringVar(&h.job.Role, "role", client.Finalizer, "the `ROLE` of the command: finalizer or worker")
	fs.StringVar(&h.step, "step", "", "the `NAME` of what the command does, for people")
	fs.DurationVar(&h.budget, "budget", 0, "the `DURATION` after which the step counts as stuck; 0s: never")
	fs.BoolVar(&h.require, "require", false, "do not run the command without a watchdog")
	fs.BoolVar(&h.killOnRevoke, "kill-on-revoke", false, "end the command when its job is taken away")
	socket := h.socketFlag(fs)
	if status, ok = h.parse(fs, 1, -1); !ok {
		return status, false
	}
	h.socket, h.argv = *socket, fs.Args()
	if fault := h.fault(); fault != "" {
		return h.refuse("%s", fault), false
	}
	return exitOK, true
}

// fault says what is wrong with the flags. The client would take a job that cannot be named for one that nobody
// watches.
func (h *holding) fault() string {
	for _, id := range []struct{ flag, text string }{{"job", h.job.ID}, {"run", h.job.Run}, {"key", h.job.Key}} {
		if len(id.text) > protocol.MaxID || !utf8.ValidString(id.text) {
			return fmt.Sprintf("--%s must have at most %d bytes of UTF-8", id.flag, protocol.MaxID)
		}
	}
	switch {
	case h.job.ID == "":
		return "--job is missing"
	case h.job.Run == "":
		return "--run is missing"
	case h.job.Role != client.Finalizer && h.job.Role != client.Worker:
		return fmt.Sprintf("--role must be finalizer or worker, not %q", h.job.Role)
	case h.budget < 0:
		return "--budget must not be negative"
	case h.budget > 0 && h.step == "":
		return "--budget needs a --step"
	}
	return ""
}

// run owns the job for as long as the command runs, and returns hold's exit status.
func (h *holding) run(ctx context.Context) int {
	watchdog := client.New(client.Options{Socket: h.socket, Name: "hold " + filepath.Base(h.argv[0]), Timeout: holdPatience})
	defer watchdog.Close()
	owned, err := watchdog.Mark(ctx, h.job)
	if err == nil {
		err = h.ask(ctx, owned)
	}
	if err != nil {
		return h.fail(fmt.Errorf("%w; the command was not run", err))
	}
	defer owned.Clear()
	owned.Step(h.step, h.budget)

	cmd := exec.Command(h.argv[0], h.argv[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = h.env, h.stdin, h.stdout, h.stderr
	g, err := h.guard()
	if err != nil {
		fmt.Fprintf(h.stderr, "watchdog hold: %v; what the command starts may outlive hold\n", err)
	}
	k, err := startChild(cmd, g, h.terminal())
	if err != nil {
		g.end()
		h.fail(err)
		return notRun(err)
	}
	return h.tend(k, owned.Context(ctx))
}

// guard starts the guard of the command, where this process knows how to start itself.
func (h *holding) guard() (*guard, error) {
	if h.self == "" {
		return nil, nil
	}
	return startGuard(h.self)
}

// ask decides whether the command is to be run for a job that was not refused: a mark is answered before the database
// is asked, and may be of a job that is closed or another run's by now. An answer that nobody knows forbids nothing.
func (h *holding) ask(ctx context.Context, owned *client.Ownership) error {
	answer := owned.CheckFor(ctx, firstHold)
	switch {
	case answer.State == client.Revoked:
		return context.Cause(owned.Context(ctx))
	case answer.Granted:
		return nil
	}
	why := fmt.Errorf("nobody watches job %s on %s: %s%s", h.job.ID, h.socket, answer.Reason, socketHint(answer.Err))
	if h.require {
		return why
	}
	fmt.Fprintf(h.stderr, "watchdog hold: %v; the command runs all the same\n", why)
	return nil
}
