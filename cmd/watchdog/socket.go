package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

const (
	// answerWithin is how long a running watchdog may take to answer.
	answerWithin = 5 * time.Second
	// maxAnswer is how much of an answer is read. One job or one status has a hundredth of it.
	maxAnswer = 1 << 20
)

// socketFlag declares the flag that says where the running watchdog listens.
func (c *command) socketFlag(fs *flag.FlagSet) *string {
	return fs.String("socket", setting(c.env, "WATCHDOG_SOCKET"), "the `PATH` of the watchdog's socket")
}

// askSocket sends one request to the watchdog and returns the line of its reply, which grants it.
func askSocket(ctx context.Context, socket string, r protocol.Request) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerWithin, fmt.Errorf("no answer within %s", answerWithin))
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("reach the watchdog: %w%s", err, socketHint(err))
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	// Who is turned away is told why before anything is read: there is a reply even where the write fails.
	_, writeErr := conn.Write(r.Append(nil))
	line, err := bufio.NewReader(io.LimitReader(conn, maxAnswer)).ReadBytes('\n')
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("ask the watchdog: %w", context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("ask the watchdog: %w", errors.Join(writeErr, err))
	}
	m, err := protocol.ParseMessage(line)
	if err != nil {
		return nil, fmt.Errorf("ask the watchdog: %w", err)
	}
	if !m.OK {
		return nil, fmt.Errorf("the watchdog refused: %w", &protocol.Error{Code: m.Error, Field: m.Field, Message: m.Text})
	}
	return line, nil
}

// socketHint says what to do about a socket that cannot be connected to.
func socketHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return "; is it running, with this WATCHDOG_SOCKET? (--socket names another)"
	case errors.Is(err, syscall.EINVAL):
		return fmt.Sprintf("; the path of a socket has at most %d bytes", maxSocketPath)
	case errors.Is(err, fs.ErrPermission):
		return "; the socket's user, its group and root may use it (WATCHDOG_SOCKET_MODE)"
	}
	return ""
}
