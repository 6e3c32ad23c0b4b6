package client

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"
)

// Ownership is one job that this process finalizes, from Mark to Clear. Its methods may be called concurrently. Nil
// and the zero Ownership own nothing.
type Ownership struct {
	client  *Client
	job     Job
	life    context.Context // ends when the ownership does; the cause says how
	over    context.CancelCauseFunc
	settled chan struct{} // closed once the answer to the mark is known, or none is to be expected
	gone    chan struct{} // closed once the watchdog has taken the clear, or nothing is left to clear

	// Guarded by client.mu.
	contexts  map[context.Context]context.CancelCauseFunc // those made by Context that have not ended
	phase     phase
	queued    bool   // stands in client.unsent
	token     uint64 // 0: not granted yet
	granted   bool
	clearing  bool
	why       string // it is paused, inert or over
	step      string // empty: none
	stepUntil time.Duration
	stepNew   bool
	checks    []*check // not sent yet
}

// phase is what the ownership is at the watchdog, as far as this session knows.
type phase int

const (
	phaseIdle    phase = iota // to be marked or resumed
	phaseMarking              // asked for
	phaseHeld                 // granted
	phasePaused               // refused for now: asked for again at the next beat
	phaseInert                // refused for good, for no fault of another: it does nothing
	phaseOver                 // revoked, owned by another, or cleared
)

// check is one caller that waits for an answer.
type check struct {
	hold     time.Duration // to ask for; 0: the watchdog's setting
	answered chan struct{} // closed with the answer
	answer   Answer
	left     bool // the caller waits no more; guarded by client.mu
}

func newOwnership(c *Client, job Job) *Ownership {
	o := &Ownership{client: c, job: job.tidy(), settled: make(chan struct{}), gone: make(chan struct{}),
		contexts: make(map[context.Context]context.CancelCauseFunc)}
	o.life, o.over = context.WithCancelCause(context.Background())
	return o
}

// nothing reports whether it is no Ownership that a client made.
func (o *Ownership) nothing() bool { return o == nil || o.client == nil }

// Granted reports whether the watchdog granted the ownership at some time. Until then it protects nothing.
func (o *Ownership) Granted() bool {
	if o.nothing() {
		return false
	}
	o.client.mu.Lock()
	defer o.client.mu.Unlock()
	return o.granted
}

// Revoked reports whether the job is known to be another's. It asks nobody: before a step that must be done
// alone, Check.
func (o *Ownership) Revoked() bool {
	return o.refusal() != nil
}

// Context returns a copy of parent that ends when the ownership is revoked, with *RevokedError or *OwnedError as
// its cause, and when it is cleared.
func (o *Ownership) Context(parent context.Context) context.Context {
	parent = orBackground(parent)
	if o.nothing() {
		return parent
	}
	ctx, cancel := context.WithCancelCause(parent)
	c := o.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.life.Err() != nil {
		cancel(context.Cause(o.life))
		return ctx
	}
	o.contexts[ctx] = cancel
	context.AfterFunc(ctx, func() { // an ownership outlives many of them
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(o.contexts, ctx)
	})
	return ctx
}

// end ends the ownership's contexts. It comes before the answer to anybody: who is told that the job was revoked
// finds them ended. The caller holds client.mu.
func (o *Ownership) end(why error) {
	o.over(why)
	for _, cancel := range o.contexts {
		cancel(context.Cause(o.life))
	}
}

// Step tells what the owner does now, and after how long it is to be taken for stuck; a budget of 0 or less, or
// of more than thirty years, is none. Only the last step is kept. Step waits for nothing.
func (o *Ownership) Step(name string, budget time.Duration) {
	name = clean(name)
	if o.nothing() || name == "" {
		return
	}
	c := o.client
	c.mu.Lock()
	defer c.mu.Unlock()
	o.step, o.stepUntil, o.stepNew = name, 0, true
	if budget > 0 && budget <= maxSpan {
		o.stepUntil = c.clock() + budget
	}
	if o.phase == phaseHeld {
		c.send(o)
	}
}

// Check asks whether the caller still owns the job, and for the promise that it will for a while. Without a
// deadline in ctx it waits for at most Options.Timeout, and not at all for a watchdog that has let another wait that
// long and not been heard of since; with one until then. Either way it is no longer than until the watchdog is known to
// be away.
func (o *Ownership) Check(ctx context.Context) Answer {
	return o.CheckFor(ctx, 0)
}

// CheckFor is Check for a promise of no more than hold, where the watchdog's own setting would be longer than the next
// step takes: a finalizer that dies is not recovered before its hold is over. A hold of 0 or less is the setting.
func (o *Ownership) CheckFor(ctx context.Context, hold time.Duration) Answer {
	if o.nothing() {
		return Answer{State: Unknown, Reason: "nothing is owned"}
	}
	ctx = orBackground(ctx)
	c := o.client
	asked := &check{hold: min(max(hold, 0), maxSpan), answered: make(chan struct{})}
	c.mu.Lock()
	if a, known := o.known(); known {
		c.mu.Unlock()
		return a
	}
	o.checks = append(o.checks, asked)
	c.send(o)
	limit := c.patience()
	c.mu.Unlock()
	if _, ok := ctx.Deadline(); ok {
		limit = math.MaxInt64
	}
	if c.await(ctx, limit, asked.answered) {
		return asked.answer
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(o.checks, asked); i >= 0 {
		o.checks = slices.Delete(o.checks, i, i+1)
	}
	select {
	case <-asked.answered: // while this caller left
		return asked.answer
	default:
	}
	asked.left = true
	return Answer{State: Unknown, Reason: errLate.Error(), Err: errLate, Granted: o.granted}
}

// Clear says that the owner is done with the job, finalized or not. It waits for the watchdog to take that in,
// for at most Options.Timeout, so that a process may end right after it. Only the first Clear does anything.
func (o *Ownership) Clear() {
	if o.nothing() {
		return
	}
	c := o.client
	c.mu.Lock()
	if o.clearing || o.phase == phaseOver {
		c.mu.Unlock()
		return
	}
	o.clearing = true
	o.end(nil)
	c.answerAll(o, Answer{State: Revoked, Reason: cleared})
	if c.session == nil || o.phase != phaseMarking && o.phase != phaseHeld {
		c.drop(o, cleared)
	} else {
		c.send(o)
	}
	c.mu.Unlock()
	c.await(context.Background(), c.options.Timeout, o.gone)
}

// refusal is the error that says that the job is another's; nil while it is not.
func (o *Ownership) refusal() error {
	if o.nothing() {
		return nil
	}
	cause := context.Cause(o.life)
	if _, ok := errors.AsType[*OwnedError](cause); ok {
		return cause
	}
	if _, ok := errors.AsType[*RevokedError](cause); ok {
		return cause
	}
	return nil
}
