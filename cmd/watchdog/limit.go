package main

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	limitEvery  = time.Second
	limitCauses = 1024 // as many messages are told apart at a time
)

// limiter is a slog.Handler that hands on at most one record a second for each cause, which is the record's
// message: whoever sends nonsense over the socket must not fill the disk with it. The next record of the cause
// that passes tells as "suppressed" how many did not. It has no goroutine, so the count of a cause that
// falls silent is told by nobody.
type limiter struct {
	next  slog.Handler
	level slog.Level // records below it are dropped
	seen  *causes    // shared by all handlers derived from one
}

func newLimiter(next slog.Handler, level slog.Level) *limiter {
	return &limiter{next: next, level: level, seen: &causes{by: make(map[string]*cause)}}
}

func (l *limiter) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= l.level && l.next.Enabled(ctx, level)
}

func (l *limiter) Handle(ctx context.Context, record slog.Record) error {
	suppressed, ok := l.seen.admit(record.Message, record.Time)
	if !ok {
		return nil
	}
	if suppressed > 0 {
		record = record.Clone()
		record.AddAttrs(slog.Int("suppressed", suppressed))
	}
	return l.next.Handle(ctx, record)
}

func (l *limiter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &limiter{next: l.next.WithAttrs(attrs), level: l.level, seen: l.seen}
}

func (l *limiter) WithGroup(name string) slog.Handler {
	return &limiter{next: l.next.WithGroup(name), level: l.level, seen: l.seen}
}

// causes remembers when each cause last passed. It is safe for concurrent use.
type causes struct {
	mu sync.Mutex
	by map[string]*cause
}

type cause struct {
	passed     time.Time
	suppressed int // since then
}

func (c *cause) due(at time.Time) bool { return at.Sub(c.passed) >= limitEvery }

// admit decides whether a record passes, and how many of its cause did not since the last one.
func (cs *causes) admit(message string, at time.Time) (suppressed int, ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.of(message, at)
	if !c.due(at) {
		c.suppressed++
		return 0, false
	}
	suppressed = c.suppressed
	c.passed, c.suppressed = at, 0
	return suppressed, true
}

// of returns the message's cause. When too many are known, those that are due are forgotten, with their
// counts; while none is, all new messages share one cause, so that memory and output stay bounded.
func (cs *causes) of(message string, at time.Time) *cause {
	if c, ok := cs.by[message]; ok {
		return c
	}
	if len(cs.by) >= limitCauses {
		for known, c := range cs.by {
			if c.due(at) {
				delete(cs.by, known)
			}
		}
	}
	if len(cs.by) >= limitCauses {
		message = ""
		if c, ok := cs.by[message]; ok {
			return c
		}
	}
	c := new(cause)
	cs.by[message] = c
	return c
}
