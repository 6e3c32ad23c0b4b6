package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// linger goes on with a fresh task now and then, so that the pages can be looked at, until ctx ends.
func (s *stage) linger(ctx context.Context) error {
	s.plain("The watchdog goes on serving, with a fresh task now and then, until Ctrl-C:")
	for _, page := range []string{"/", "/queue", "/metrics"} {
		s.plain("%s%s", s.watchdog.url, page)
	}
	ticker := time.NewTicker(freshFor)
	defer ticker.Stop()
	for number := 114; ; number++ {
		if err := s.fresh(ctx, number); err != nil && ctx.Err() == nil {
			return s.explain(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.watchdog.done:
			return s.explain(errors.New("the watchdog has ended"))
		case <-ticker.C:
		}
	}
}

// fresh adds a task at its first stage, when all before are through: two merges at once would break the tree.
func (s *stage) fresh(ctx context.Context, number int) error {
	busy, err := s.ledger.busy(ctx)
	if err != nil || busy {
		return err
	}
	task := fmt.Sprintf("ORCH-%d", number)
	if err := s.ledger.give(ctx, task, "a fresh task", firstStage, 0); err != nil {
		return err
	}
	s.say("database", "task %s is at %s", task, firstStage)
	return nil
}

// logLines is how much of each log is shown when something went wrong.
const logLines = 5

// explain adds the last lines of the processes' logs to what went wrong: the folder that has them is mostly
// removed.
func (s *stage) explain(err error) error {
	children := make([]*child, 0, len(s.orchestrators)+1)
	if s.watchdog != nil {
		children = append(children, s.watchdog.child)
	}
	for _, c := range s.orchestrators {
		children = append(children, c)
	}
	for _, c := range children {
		err = fmt.Errorf("%w%s", err, c.tail())
	}
	return err
}

// tail is the end of the child's log, for an error's text; empty when there is none.
func (c *child) tail() string {
	text, err := os.ReadFile(c.log)
	if err != nil || len(text) == 0 {
		return ""
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	lines = lines[max(0, len(lines)-logLines):]
	return fmt.Sprintf("\n%s said:\n  %s", c.name, strings.ReplaceAll(string(bytes.Join(lines, []byte("\n"))), "\n", "\n  "))
}
