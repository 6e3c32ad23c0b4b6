package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// served is the real watchdog, serving the demo's database.
type served struct {
	*child
	pages
	socket string
}

// settings are those of the watchdog, in an environment that has nothing else.
func settings(folder, listen string) []string {
	return []string{
		"WATCHDOG_DATABASE_URL=sqlite:" + databasePath(folder),
		"WATCHDOG_SOCKET=" + socketPath(folder),
		"WATCHDOG_LISTEN=" + listen,
		"WATCHDOG_HEARTBEAT_LEASE=" + lease.String(),
		"WATCHDOG_CHECK_HOLD=" + hold.String(),
		"WATCHDOG_REAPER_INTERVAL=" + interval.String(),
		"WATCHDOG_REAPER_FINALIZE_GRACE=" + grace.String(),
		"WATCHDOG_REAPER_CEILING=" + ceiling.String(),
		"WATCHDOG_REAPER_GUARDED_STAGES=" + heavyStage,
		"WATCHDOG_LOG_FORMAT=json",
	}
}

// serve starts the watchdog and returns when it answers.
func serve(ctx context.Context, folder, listen string) (*served, error) {
	c, err := launch("watchdog serve", filepath.Join(folder, "watchdog.log"), settings(folder, listen), "serve")
	if err != nil {
		return nil, err
	}
	s := &served{child: c, socket: socketPath(folder)}
	err = await(ctx, c, "the watchdog listens", s.find)
	if err == nil {
		_, err = s.get(ctx, "/readyz")
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("%w%s", err, c.tail())
	}
	return s, nil
}

// find takes the address that the watchdog listens on from its log: the port is the kernel's choice.
func (s *served) find(context.Context) (bool, error) {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return false, fmt.Errorf("read log: %w", err)
	}
	for line := range bytes.Lines(text) {
		var record struct {
			Listen string `json:"listen"`
		}
		if json.Unmarshal(line, &record) == nil && record.Listen != "" {
			s.url = "http://" + record.Listen
			return true, nil
		}
	}
	return false, nil
}

// turn throws the kill switch, over the socket.
func (s *served) turn(ctx context.Context, on bool) error {
	if err := s.request(ctx, protocol.Request{Op: protocol.OpSwitch, FinalizerLiveness: on}); err != nil {
		return fmt.Errorf("switch finalizer liveness: %w", err)
	}
	return nil
}

func (s *served) request(ctx context.Context, r protocol.Request) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", s.socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	if _, err := conn.Write(r.Append(nil)); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		return err
	}
	reply, err := protocol.ParseMessage(line)
	if err == nil && !reply.OK {
		err = errors.New(string(reply.Error))
	}
	return err
}

// await looks until what is waited for is seen. It gives up when that takes longer than the patience, and when
// the process that should bring it about has ended.
func await(ctx context.Context, by *child, what string, seen func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %v", patience))
	defer cancel()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if ok, err := seen(ctx); ok || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-by.done:
			return fmt.Errorf("wait until %s: %s has ended", what, by.name)
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
		}
	}
}
