package web

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// answerLife is how long a finished answer is given again.
	answerLife = time.Second
	// maxAnswers bounds the answers kept, running reads included. It bounds what readers can do to the
	// database at once, and the memory: a part of 1000 jobs has some 1 MB.
	maxAnswers = 8
)

var errOverloaded = errors.New("too many different questions at once")

// shared gives equal queries that come together, or within a second, one answer.
//
// The first to ask reads, under its own context; the others wait. When the first goes away before it has
// an answer, the next of those who wait reads: a reader who leaves neither harms the others nor leaves
// work behind.
type shared struct {
	read func(context.Context, query) answer

	mu      sync.Mutex
	flights map[query]*flight
}

// A flight is one read and its answer. The fields besides done are the reader's until done is closed, and
// constant afterwards; expiry is guarded by shared's mutex.
type flight struct {
	done   chan struct{}
	landed bool // false once done is closed: the reader went away without an answer
	answer answer
	expiry *time.Timer
}

func newShared(read func(context.Context, query) answer) *shared {
	return &shared{read: read, flights: make(map[query]*flight)}
}

// get gives q's answer. Its errors are errOverloaded and those of ctx.
func (s *shared) get(ctx context.Context, q query) (answer, error) {
	for ctx.Err() == nil {
		f, first := s.join(q)
		if f == nil {
			return answer{}, errOverloaded
		}
		if first {
			s.fly(ctx, q, f)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return answer{}, context.Cause(ctx)
		}
		if f.landed {
			return f.answer, nil
		}
	}
	return answer{}, context.Cause(ctx)
}

// join gives q's flight and whether the caller has to fly it; nil when there is no room for another.
func (s *shared) join(q query) (_ *flight, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if f, ok := s.flights[q]; ok {
		return f, false
	}
	if len(s.flights) >= maxAnswers && !s.evict() {
		return nil, false
	}
	f := &flight{done: make(chan struct{})}
	s.flights[q] = f
	return f, true
}

// evict drops one finished answer, if there is one.
func (s *shared) evict() bool {
	for q, f := range s.flights {
		if f.expiry == nil {
			continue
		}
		f.expiry.Stop()
		delete(s.flights, q)
		return true
	}
	return false
}

// fly reads the answer. It also lands, empty, when the read panics, lest the others wait for ever.
func (s *shared) fly(ctx context.Context, q query, f *flight) {
	defer s.land(q, f)
	got := s.read(ctx, q)
	if ctx.Err() == nil {
		f.answer, f.landed = got, true
	}
}

func (s *shared) land(q query, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()

	close(f.done)
	if !f.landed {
		delete(s.flights, q)
		return
	}
	f.expiry = time.AfterFunc(answerLife, func() { s.expire(q, f) })
}

func (s *shared) expire(q query, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Evicted, it may have made room for a younger one of the same query.
	if s.flights[q] == f {
		delete(s.flights, q)
	}
}
