package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// tend passes signals on until the command has ended, and returns its exit status. The ownership lives as long as
// life does; the cause of life's end says who took it.
func (h *holding) tend(k *child, life context.Context) int {
	revoked := life.Done()
	var up <-chan time.Time
	for {
		select {
		case s := <-h.signals:
			_ = k.signal(s.(syscall.Signal))
		case <-revoked:
			revoked = nil
			if h.tellRevoked(context.Cause(life)); h.killOnRevoke {
				_ = k.signal(syscall.SIGTERM)
				up = time.After(h.killAfter)
			}
		case <-up:
			up = nil
			_ = k.signal(syscall.SIGKILL)
		case <-k.stopped:
			k.suspend()
		case <-k.ended:
			status := k.status()
			if up != nil {
				k.clean(up)
			}
			return status
		}
	}
}

func (h *holding) tellRevoked(why error) {
	then := "goes on"
	if h.killOnRevoke {
		then = "is ended"
	}
	fmt.Fprintf(h.stderr, "watchdog hold: %v; the command %s\n", why, then)
}

// passedOn are the signals that hold passes on. SIGHUP is left alone where it was ignored when hold started, as
// nohup has it: to subscribe to it would end that, for the command too.
func passedOn() []os.Signal {
	all := []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
	if status, err := os.ReadFile("/proc/self/status"); err == nil && ignores(status, syscall.SIGHUP) {
		return all
	}
	return append(all, syscall.SIGHUP)
}

// ignores reports whether a process of that /proc/PID/status ignores the signal.
func ignores(status []byte, s syscall.Signal) bool {
	_, rest, _ := bytes.Cut(status, []byte("\nSigIgn:"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	mask, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 64)
	return err == nil && mask&(1<<(s-1)) != 0
}
