package liveness

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// peerOf names the socket to a process that is to be a peer of it, and not a test.
const peerOf = "WATCHDOG_TEST_PEER"

func TestMain(m *testing.M) {
	path := os.Getenv(peerOf)
	if path == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := bePeer(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bePeer connects and does what its standard input says, a line each, until that ends; what it hears goes to
// its standard output. A line that is none of the words is a request: it is sent with those before it, in one
// write, at the next word.
func bePeer(path string) error {
	conn, err := dialUnix(path)
	if err != nil {
		return err
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		_, _ = io.Copy(os.Stdout, conn)
	}()
	var silent []*net.UnixConn
	defer func() { runtime.KeepAlive(silent) }() // the garbage collector would close them
	var batch []byte
	for said := bufio.NewScanner(os.Stdin); said.Scan(); {
		word, rest, _ := strings.Cut(said.Text(), " ")
		switch word {
		case "go", "die", "hang-up", "heir", "crowd":
		default:
			batch = append(append(batch, said.Bytes()...), '\n')
			continue
		}
		if _, err := conn.Write(batch); err != nil {
			return err
		}
		batch = batch[:0]
		switch word {
		case "die":
			err = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case "hang-up":
			err = conn.Close()
		case "heir":
			err = bequeath(conn, rest)
		case "crowd":
			silent, err = crowd(path, rest)
		}
		if err != nil {
			return err
		}
	}
	conn.Close()
	<-heard
	return nil
}

func dialUnix(path string) (*net.UnixConn, error) {
	return net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
}

// bequeath runs a program whose standard output is the connection, and tells its process id.
func bequeath(conn *net.UnixConn, program string) error {
	file, err := conn.File()
	if err != nil {
		return err
	}
	defer file.Close()
	heir := exec.Command("sh", "-c", "exec "+program)
	heir.Stdout = file
	if err := syscall.SetNonblock(int(file.Fd()), false); err != nil {
		return err
	}
	if err := heir.Start(); err != nil {
		return err
	}
	_, err = fmt.Printf(`{"heir":%d}`+"\n", heir.Process.Pid)
	return err
}

// crowd opens connections and says nothing on them.
func crowd(path, size string) ([]*net.UnixConn, error) {
	n, err := strconv.Atoi(size)
	if err != nil {
		return nil, err
	}
	all := make([]*net.UnixConn, n)
	for i := range all {
		all[i], err = dialUnix(path)
		for errors.Is(err, syscall.EAGAIN) { // too many are waiting to be accepted
			all[i], err = dialUnix(path)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
