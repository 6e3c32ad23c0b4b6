package faults

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// kind is one kind of fault. Inject returns when it is over.
type kind struct {
	name   string
	weight int
	inject func(w *world)
}

// kinds are the faults that this world can have.
func (w *world) kinds() []kind {
	all := []kind{
		{"a finalizer is killed", 12, func(w *world) { w.kill(w.any()) }},
		{"a finalizer is stopped", 6, func(w *world) { w.halt(w.fleet[w.any()], 1200*time.Millisecond) }},
		{"a finalizer's child keeps its connection when it is killed", 3, bequest},
		{"the watchdog is killed", 4, func(w *world) { w.restart(300 * time.Millisecond) }},
		{"the watchdog is killed, and a finalizer with it", 2, func(w *world) {
			i := w.any()
			w.watchdog.Signal(w.t, syscall.SIGKILL)
			w.kill(i)
			w.restart(300 * time.Millisecond)
		}},
		{"the watchdog is stopped", 2, func(w *world) {
			w.watchdog.Signal(w.t, syscall.SIGSTOP)
			w.while(time.Second)
			w.watchdog.Signal(w.t, syscall.SIGCONT)
		}},
		{"the socket's folder is deleted", 1, undermine},
	}
	if w.server != nil {
		all = append(all, onServer()...)
	}
	if w.proxy != nil {
		all = append(all, onNetwork()...)
	}
	if w.disk != "" {
		all = append(all, kind{"the disk is full", 4, fillDisk})
	}
	if w.clock != nil {
		all = append(all, kind{"the clock is set", 1, func(w *world) {
			w.clock.Step(w.t, time.Duration(w.random.IntN(41)-20)*time.Second)
		}})
	}
	return all
}

// onServer are the faults of a database server.
func onServer() []kind {
	return []kind{
		{"the database crashes", 1, func(w *world) {
			w.server.Stop()
			w.while(300 * time.Millisecond)
			require.NoError(w.t, w.server.Restart())
		}},
		{"the database is stopped", 2, func(w *world) {
			w.server.Signal(w.t, syscall.SIGSTOP)
			w.while(time.Second)
			w.server.Signal(w.t, syscall.SIGCONT)
		}},
	}
}

// onNetwork are those of the network before it.
func onNetwork() []kind {
	return []kind{
		{"the network is slow", 1, func(w *world) { w.proxy.Delay(5 * time.Second); w.while(time.Second); w.proxy.Delay(0) }},
		{"the network is a black hole", 2, func(w *world) { w.proxy.Silence(); w.while(time.Second); w.proxy.Resume() }},
		{"connections are reset", 3, func(w *world) { w.proxy.Reset() }},
		{"connections are half closed", 2, func(w *world) { w.proxy.HalfClose() }},
		{"a commit is cut off before it arrives, as a finalizer dies", 4, func(w *world) { w.cut(pg.Before) }},
		{"a commit's answer is lost, as a finalizer dies", 4, func(w *world) { w.cut(pg.After) }},
	}
}

// commit is the text of a commit on the wire, which that of BEGIN … READ COMMITTED is not.
const commit = "COMMIT\x00"

// cut lets the next commit fail, and sees to it that there is one.
func (w *world) cut(when pg.Moment) {
	w.proxy.Cut(commit, when)
	w.kill(w.any())
	w.while(200 * time.Millisecond)
	w.proxy.Cut("", when)
}

// restart kills the watchdog, unless it is dead already, and starts it again after a while.
func (w *world) restart(most time.Duration) {
	if err := syscall.Kill(w.watchdog.PID, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
		require.NoError(w.t, err)
	}
	<-w.watchdog.Ended()
	w.while(most)
	w.serve()
}

func bequest(w *world) {
	i := w.any()
	w.fleet[i].Signal(w.t, toBequeath)
	w.while(30 * time.Millisecond)
	w.kill(i)
}

// undermine takes the socket, the state file and their folder away, and waits until they are there again: without
// its state file a watchdog that dies forgets the holds, as the documentation says.
func undermine(w *world) {
	socket := w.settings["SOCKET"]
	require.NoError(w.t, os.RemoveAll(filepath.Dir(socket)))
	program.Eventually(w.t, "the socket and the state file are made again", func() bool {
		_, noSocket := os.Lstat(socket)
		_, noState := os.Lstat(socket + ".state")
		return noSocket == nil && noState == nil
	})
}

// fillDisk leaves no room on the database's file system for a while.
func fillDisk(w *world) {
	path := filepath.Join(w.disk, "filler")
	f, err := os.Create(path)
	require.NoError(w.t, err)
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	for err = nil; err == nil; {
		_, err = f.Write(block[:512])
	}
	require.ErrorIs(w.t, err, syscall.ENOSPC)
	w.kill(w.any())
	w.while(time.Second)
	require.NoError(w.t, errors.Join(f.Close(), os.Remove(path)))
}
