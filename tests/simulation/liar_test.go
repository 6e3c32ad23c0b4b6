package simulation

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// liar is a client that speaks the protocol itself, and says whatever may do harm.
type liar struct {
	*life
	dice dice
	conn net.Conn
}

// lie has a liar talk for a while. A stranger is another user than the finalizers; it knows everybody's tokens. Any
// other is one of them, and confused: it says what it should not under tokens and keys of its own.
func (w *world) lie(f fault, n int) {
	uid := honest
	if f.variant%2 == 0 {
		uid = stranger
	}
	w.mu.Lock()
	l := &liar{life: w.begin(fmt.Sprintf("liar-%d", n), uid, false), dice: dice{newDice(f.dice, 0).Rand}}
	w.mu.Unlock()
	until := w.boot() + f.lasts
	for w.boot() < until && !l.dead.Load() && !w.isDraining() {
		if l.conn == nil && !l.connect() {
			if !w.sleep(l.dice.rough(poll)) { // it wants to be the first after a restart
				break
			}
			continue
		}
		if _, err := l.conn.Write(l.says()); err != nil || l.dice.one(40) {
			l.conn.Close()
			l.conn = nil
			continue
		}
		if !w.sleep(l.dice.rough(w.settings.lease)) {
			break
		}
	}
	l.die(l.dice.rough(time.Second), l.dice.one(4))
}

func (l *liar) connect() bool {
	conn, err := l.dial(context.Background())
	if err != nil {
		return false
	}
	l.conn = conn
	if l.dice.one(5) {
		return true // who never reads
	}
	l.w.group.Go(func() {
		for p := make([]byte, 512); ; {
			if _, err := conn.Read(p); err != nil {
				return
			}
		}
	})
	return true
}

// says is the next thing that the liar sends.
func (l *liar) says() []byte {
	if l.dice.one(30) {
		return []byte(`{"op":"mark","job":[]}` + "\n" + `{"op":"beat"`)
	}
	if l.dice.one(60) {
		return []byte("no protocol\n")
	}
	r := l.request()
	text := r.Append(nil)
	for range l.dice.IntN(3) {
		more := l.request()
		text = more.Append(text)
	}
	return text
}

func (l *liar) request() protocol.Request {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	job, run := l.victim()
	token := l.token(job)
	switch l.dice.IntN(10) {
	case 0:
		return protocol.Request{Op: protocol.OpHello, Version: 1, Name: l.name, Lease: l.dice.span(time.Millisecond, 10*time.Second)}
	case 1, 2:
		return protocol.Request{Op: protocol.OpMark, Job: job, Run: run, Key: l.name, Role: l.role()}
	case 3, 4:
		return protocol.Request{Op: protocol.OpMark, Job: job, Run: run, Key: l.name, Token: token, Role: l.role()}
	case 5, 6:
		return protocol.Request{Op: protocol.OpCheck, Job: job, Token: token, Hold: l.dice.span(0, time.Minute)}
	case 7:
		return protocol.Request{Op: protocol.OpClear, Job: job, Token: token}
	case 8:
		return protocol.Request{Op: protocol.OpStep, Job: job, Token: token, Step: "lies", Budget: time.Millisecond}
	}
	return protocol.Request{Op: protocol.OpBeat}
}

func (l *liar) role() string {
	if l.dice.one(4) {
		return string(watchdog.Worker)
	}
	return string(watchdog.Finalizer)
}

// victim is a job and a run of it: the one that it has, one that it had, or one of another job. Most liars leave the
// run that a job has to its finalizer, or there would be nothing else to see.
func (l *liar) victim() (job, run string) {
	ids := l.w.db.ids
	if len(ids) == 0 || l.dice.one(10) {
		return "900", "900.1"
	}
	r := l.w.db.rows[ids[l.dice.IntN(len(ids))]]
	run = string(r.Run)
	switch {
	case l.dice.one(3):
		run = string(r.history[l.dice.IntN(len(r.history))].to.Run)
	case !l.dice.one(6) && l.uid == honest:
		run += "?"
	}
	return string(r.ID), run
}

// token is one that was given, to whomever. A confused client only has its own.
func (l *liar) token(job string) uint64 {
	grants := l.w.witness.of[watchdog.JobID(job)]
	for _, p := range l.w.witness.promises[watchdog.JobID(job)] {
		if l.uid == stranger && p.runs(l.w.now()) && l.dice.one(3) {
			return p.token
		}
	}
	switch l.dice.IntN(8) {
	case 0:
		return 1 + l.dice.Uint64N(l.w.witness.newest+2)
	case 1: // after a restart it is below the bound, and nobody knows that it was never given
		return l.w.witness.newest + 1 + l.dice.Uint64N(3)
	}
	if len(grants) == 0 {
		return 1 + l.w.witness.newest
	}
	g := grants[l.dice.IntN(len(grants))]
	if l.uid == honest && g.key != l.name {
		return 1 + l.w.witness.newest
	}
	return g.token
}
