package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// guardCommand, as hold's only argument, has the process be the guard of another hold.
const guardCommand = "guard"

// guard is a second process of this program that kills the command's process group when hold dies and cannot: the
// kernel kills the command alone, and what that has started would work on while the job is given to another. It is in
// a session of its own, so that what kills hold's group or hangs up its terminal does not reach it.
type guard struct {
	cmd  *exec.Cmd
	line *os.File // hold's end of a pipe that nobody else has: the guard reads its end when hold dies
}

// startGuard starts the program self as the guard of nobody yet.
func startGuard(self string) (*guard, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start guard: %w", err)
	}
	defer read.Close()
	cmd := exec.Command(self, "hold", guardCommand)
	cmd.Args[0] = "watchdog"
	cmd.Env, cmd.Dir, cmd.Stdin = []string{}, "/", read
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("start guard: %w", err)
	}
	return &guard{cmd: cmd, line: write}, nil
}

// watch names the process group to the guard. A guard that is gone guards nobody, and nothing is to be done about it.
func (g *guard) watch(group int) {
	if g != nil {
		_, _ = fmt.Fprintln(g.line, group)
	}
}

// end ends the guard, which kills nobody any more when end returns.
func (g *guard) end() {
	if g == nil {
		return
	}
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
	_ = g.line.Close()
}

// runGuard is the guard's side: it waits for the end of the hold that started it. Signals are not for it.
func runGuard(c *command) int {
	c.notify(make(chan os.Signal, 1), passedOn()...)
	group := 0
	for lines := bufio.NewScanner(c.stdin); lines.Scan(); {
		group, _ = strconv.Atoi(lines.Text())
	}
	if group > 1 { // any other number means something else to kill(2)
		_ = syscall.Kill(-group, syscall.SIGKILL)
	}
	return exitOK
}
