package hostile

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// The kinds of hostile peers.
const (
	computes     = "only computes, and never connects"
	floodsMarks  = "floods with marks of jobs that it makes up"
	marksClears  = "marks and clears jobs that it makes up"
	marksAll     = "marks every job there is"
	asksDeaf     = "asks for the status and never reads"
	connectsIdle = "connects and says nothing"
	drips        = "sends one byte a second on many connections"
	eventsDeaf   = "owns many jobs, is told that they are reaped, and never reads"
)

// atIt is what a peer writes when what it does has begun: a machine that is busy may take long to start it.
const atIt = "at it"

// loose starts a hostile peer, which ends with the test at the latest, and returns when it is at it.
func loose(t *testing.T, kind, socket string) *program.Process {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = []string{kindVariable + "=" + kind, socketVariable + "=" + socket}
	p := program.Start(t, cmd)
	program.Eventually(t, kind+": it is at it", func() bool { return strings.Contains(p.Output(), atIt) })
	return p
}

// misbehave does its worst until it is killed.
func misbehave(kind, socket string) int {
	for {
		switch kind {
		case computes:
			fmt.Println(atIt)
			for i := 0; ; i++ {
			}
		case floodsMarks:
			shout(socket, 1, func(i int) string { return mark(fmt.Sprint("made up ", i), 1) })
		case marksClears:
			shout(socket, 1, func(i int) string {
				return mark(fmt.Sprint("made up ", i), 1) + fmt.Sprintf("{\"op\":\"clear\",\"job\":\"made up %d\",\"token\":1}\n", i)
			})
		case marksAll:
			shout(socket, honest+crowd, func(i int) string { return markJob(i%(honest+crowd) + 1) })
		case asksDeaf:
			shout(socket, 0, func(int) string { return "{\"op\":\"status\"}\n" })
		case connectsIdle, drips:
			crowdIn(socket, kind == drips)
		case eventsDeaf:
			own(socket)
		}
		time.Sleep(time.Millisecond) // it was hung up on
	}
}

func mark(job string, run int64) string {
	return fmt.Sprintf("{\"op\":\"mark\",\"job\":%q,\"run\":%d,\"stage\":\"deploy-staging\",\"key\":\"hostile\"}\n", job, run)
}

func markJob(job int) string { return mark(fmt.Sprint(job), program.FirstRun(int64(job))) }

// shout sends requests as fast as they are taken, on one connection. It is at it when the first so many are answered, and
// never reads if that is none.
func shout(socket string, answered int, request func(int) string) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer conn.Close()
	if answered > 0 {
		go readAll(conn, answered)
	}
	var batch strings.Builder
	for i := 0; ; {
		for batch.Reset(); batch.Len() < 32<<10; i++ {
			batch.WriteString(request(i))
		}
		if _, err := io.WriteString(conn, batch.String()); err != nil {
			return
		}
		if answered == 0 {
			fmt.Println(atIt)
		}
	}
}

// readAll reads the replies, whatever they say, and tells of the last of the first so many.
func readAll(conn net.Conn, first int) {
	replies := bufio.NewReader(conn)
	for range first {
		if _, err := replies.ReadSlice('\n'); err != nil {
			return
		}
	}
	fmt.Println(atIt)
	_, _ = io.Copy(io.Discard, replies)
}

// crowdIn opens connections until there are very many, and keeps them. Those that are refused it opens again.
func crowdIn(socket string, drips bool) {
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 12_000, Max: 12_000})
	var all []net.Conn
	for len(all) < idle() {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		all = append(all, conn)
	}
	fmt.Println(atIt)
	for i := 0; ; i++ {
		for _, conn := range all {
			if drips {
				_, _ = conn.Write([]byte{`{"op":"beat","x":"`[i%18]})
			}
		}
		time.Sleep(time.Second)
	}
}

// idle is how many connections there are of those that say nothing or little.
func idle() int {
	if full() {
		return 10_000
	}
	return 600
}

// own marks the second crowd's jobs, and reads no more.
func own(socket string) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	replies := bufio.NewScanner(conn)
	for i := range crowd {
		_, _ = io.WriteString(conn, markJob(honest+crowd+1+i))
		replies.Scan()
	}
	fmt.Println(atIt)
	for { // and is heard of all the while
		if _, err := io.WriteString(conn, "{\"op\":\"beat\"}\n"); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
