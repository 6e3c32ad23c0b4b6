package liveness

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// child is a peer that is a process of its own: this test's program, which does as it is told.
type child struct {
	t       testing.TB
	process *os.Process
	in      *os.File
	out     *os.File
	lines   *bufio.Reader
}

func (s *served) peer() *child {
	s.t.Helper()
	program, err := os.Executable()
	require.NoError(s.t, err)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), peerOf+"="+s.path)
	cmd.Stderr = os.Stderr
	stdin, in, err := os.Pipe()
	require.NoError(s.t, err)
	out, stdout, err := os.Pipe()
	require.NoError(s.t, err)
	cmd.Stdin, cmd.Stdout = stdin, stdout
	require.NoError(s.t, cmd.Start())
	stdin.Close()
	stdout.Close()
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		in.Close()
		out.Close()
	})
	return &child{t: s.t, process: cmd.Process, in: in, out: out, lines: bufio.NewReader(out)}
}

// say has the child send the lines in one write, then do what the last one is if that is a word.
func (c *child) say(lines ...string) {
	c.t.Helper()
	if strings.HasPrefix(lines[len(lines)-1], "{") {
		lines = append(lines, "go")
	}
	_, err := c.in.WriteString(strings.Join(lines, "\n") + "\n")
	require.NoError(c.t, err)
}

func (c *child) line() []byte {
	c.t.Helper()
	require.NoError(c.t, c.out.SetReadDeadline(time.Now().Add(soon)))
	line, err := c.lines.ReadBytes('\n')
	require.NoError(c.t, err)
	return line
}

func (c *child) ask(line string) protocol.Message {
	c.t.Helper()
	c.say(line)
	m, err := protocol.ParseMessage(c.line())
	require.NoError(c.t, err)
	return m
}

func (c *child) mark(job string) uint64 {
	c.t.Helper()
	m := c.ask(marking(job))
	require.True(c.t, m.OK, m)
	return m.Token
}

// heir has the child start a program that inherits the connection as its standard output.
func (c *child) heir(program string) {
	c.t.Helper()
	c.say("heir " + program)
	var pid int
	for pid == 0 {
		_, _ = fmt.Sscanf(string(c.line()), `{"heir":%d}`, &pid)
	}
	c.t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
}

func (c *child) signal(sig syscall.Signal) {
	c.t.Helper()
	require.NoError(c.t, c.process.Signal(sig))
}

// dead waits until the server reports deaths and returns the jobs.
func (s *served) dead() []watchdog.JobID {
	s.t.Helper()
	select {
	case <-s.Registry.Deaths():
	case <-time.After(soon):
		require.Fail(s.t, "no death was proven")
	}
	jobs, _ := s.Registry.TakeDead(1000)
	return jobs
}

func TestKilledIsDeadAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, other := s.peer(), s.peer()
	c.mark("1914")
	c.mark("1915")
	other.mark("2020")
	assert.Equal(t, 2, s.Registry.Count(s.boot()).Sessions[s.owner("1914").Proof], "all peers have the same proof")
	assert.NotEqual(t, watchdog.ProofNone, s.owner("1914").Proof)
	assert.Equal(t, c.process.Pid, s.owner("1914").PID)
	killed := time.Now()
	c.signal(syscall.SIGKILL)
	assert.ElementsMatch(t, []watchdog.JobID{"1914", "1915"}, s.dead(), "in one batch")
	assert.Less(t, time.Since(killed), lease, "sooner than its silence could tell")
	assert.Equal(t, watchdog.Dead, s.state("1914"))
	assert.Equal(t, watchdog.Connected, s.state("2020"))
}

// TestWhatWasSentBeforeTheDeathIsApplied has a peer die in the instant after its last write, with no reply read.
func TestWhatWasSentBeforeTheDeathIsApplied(t *testing.T) {
	t.Parallel()
	const n = 300
	s := serve(t)
	lines := make([]string, 0, 2*n+2)
	for i := range uint64(n) {
		lines = append(lines, marking(fmt.Sprint(i)), clearing(fmt.Sprint(i), i+1))
	}
	s.peer().say(append(lines, marking("kept"), "die")...)
	assert.Equal(t, []watchdog.JobID{"kept"}, s.dead())
	assert.Equal(t, n, s.seen.of("clear"), "what was cleared did not die")
}

func TestWhatFollowsNonsenseIsNotAppliedByDeathEither(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.peer().say(marking("a"), clearing("a", 1), marking("b"), "[nonsense", clearing("b", 2), "die")
	assert.Equal(t, []watchdog.JobID{"b"}, s.dead())
	assert.Equal(t, watchdog.Ended, s.state("a"), "and nothing is applied twice")
	assert.Equal(t, 1, s.seen.of("clear"))
}

func TestAnHeirOfTheConnectionKeepsNobodyAlive(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]string{
		"silent":   "sleep 600",
		"chatting": `yes '{"op":"beat"}'`, // and nobody reads the replies
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			c := s.peer()
			c.mark("1914")
			c.heir(program)
			killed := time.Now()
			c.signal(syscall.SIGKILL)
			assert.Equal(t, []watchdog.JobID{"1914"}, s.dead())
			assert.Less(t, time.Since(killed), lease, "sooner than its silence could tell")
			assert.Zero(t, s.sessions(), "the heir is no client")
		})
	}
}

func TestStoppedIsStalled(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.peer()
	require.Equal(t, 1.0, c.ask(`{"op":"hello","v":1,"lease_s":1}`).LeaseS)
	token := c.mark("1914")
	c.signal(syscall.SIGSTOP)
	s.pass(time.Second)
	assert.Equal(t, watchdog.Stalled, s.state("1914"), "silence is no death")
	c.say(stepping("1914", token))
	assert.Equal(t, watchdog.Stalled, s.state("1914"))
	c.signal(syscall.SIGCONT)
	s.eventually(func() bool { return s.state("1914") == watchdog.Connected }, "it is heard of again")
	assert.Equal(t, 0, s.seen.of("lost"))
}

// standing is how many connections the server still has to do with.
func (s *served) standing() int {
	s.Server.mu.Lock()
	defer s.Server.mu.Unlock()
	return len(s.conns) + len(s.parted)
}

func TestAProcessThatHangsUpIsNotDead(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.peer()
	c.mark("1914")
	c.say("hang-up")
	s.eventually(func() bool { return s.state("1914") == watchdog.Reconnecting }, "the connection ended")
	s.pass(lease - time.Second)
	assert.Equal(t, watchdog.Reconnecting, s.state("1914"), "nothing is concluded from that yet")
	assert.Equal(t, 1, s.standing(), "its exit would still be proof")
	s.pass(time.Second)
	assert.Equal(t, watchdog.Ended, s.state("1914"))
	assert.Equal(t, 1, s.seen.of("lost"))
	assert.Zero(t, s.seen.of("died"))
	s.eventually(func() bool { return s.standing() == 0 }, "its exit would prove nothing more")
}

// TestLeasesLapseByThemselves is about a server of which nobody asks anything any more.
func TestLeasesLapseByThemselves(t *testing.T) {
	t.Parallel()
	s := serve(t)
	k := s.dial()
	require.Equal(t, 1.0, k.ask(`{"op":"hello","v":1,"lease_s":1}`).LeaseS)
	k.mark("1914")
	require.NoError(t, k.conn.Close())
	s.eventually(func() bool { return s.seen.of("lost") == 1 }, "after a second")
}

func TestAnExitAfterTheHangUpIsProof(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.peer()
	c.mark("1914")
	c.say("hang-up")
	s.eventually(func() bool { return s.state("1914") == watchdog.Reconnecting }, "the connection ended")
	c.signal(syscall.SIGKILL)
	assert.Equal(t, []watchdog.JobID{"1914"}, s.dead())
}

// TestDeathBeforeAccept is about a peer that connected, spoke, died and was waited for before the server ran.
func TestDeathBeforeAccept(t *testing.T) {
	t.Parallel()
	s := listening(t)
	c := s.peer()
	c.say(marking("1914"), marking("2020"), clearing("2020", 2), "die")
	_, err := c.process.Wait()
	require.NoError(t, err)
	s.run()
	assert.Equal(t, []watchdog.JobID{"1914"}, s.dead())
	assert.Equal(t, 1, s.seen.of("clear"))
}

// TestGoneBeforeAccept is the same on a kernel that gives no pidfd of a process that was waited for.
func TestGoneBeforeAccept(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{syscall.ESRCH, syscall.EINVAL} {
		assert.True(t, reaped(refusal))
	}
	assert.False(t, reaped(syscall.EMFILE), "out of descriptors is no death")
	assert.False(t, reaped(nil))

	s := serve(t)
	require.True(t, s.dial().ask(beat).OK)
	k, far := pair(t)
	k.send(marking("1914"), marking("2020"), clearing("2020", 2))
	c := s.newConn(Arrival{Stream: far, Peer: Peer{Proof: watchdog.ProofPidfd}, Process: gone{}})
	require.True(t, s.enter(t.Context(), c))
	assert.Equal(t, []watchdog.JobID{"1914"}, s.dead())
	assert.Equal(t, 1, s.seen.of("clear"))
}
