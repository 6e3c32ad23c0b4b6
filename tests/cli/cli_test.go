package cli

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

func TestMain(m *testing.M) { os.Exit(program.Run(m)) }

const (
	job     = 1914
	run     = "2207"
	guarded = "deploy-staging"
)

// served is a watchdog over a database of its own.
func served(t *testing.T, s program.Settings) (*program.Watchdog, *program.Database) {
	t.Helper()
	d := program.OnSQLite(t)
	return program.Serve(t, program.For(t, d.URL).With(s)), d
}

// command is a subcommand whose environment names the socket.
func command(t *testing.T, socket string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program.Binary(t), args...)
	cmd.Env = []string{"WATCHDOG_SOCKET=" + socket, "PATH=" + os.Getenv("PATH")}
	return cmd
}

// ran runs a subcommand to its end.
func ran(t *testing.T, socket string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := command(t, socket, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		_, ended := errors.AsType[*exec.ExitError](err)
		require.True(t, ended, "%v", err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// hold are arguments of hold for the job.
func hold(command ...string) []string {
	return append([]string{"hold", "--job", strconv.Itoa(job), "--run", run, "--stage", guarded, "--"}, command...)
}

// with puts flags before the others.
func with(args []string, flags ...string) []string {
	return append(append([]string{args[0]}, flags...), args[1:]...)
}
