package liveness

import (
	"slices"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// Ending is the end of an ownership that its owner did not ask for, for the audit.
type Ending struct {
	Job    watchdog.JobID
	Run    watchdog.RunID
	Name   string
	PID    int
	Reason string
}

// Unseen are the endings of ownerships whose job the database was never seen to hold open. A peer can make up as many
// as it likes: they are not told one by one.
type Unseen struct {
	Count int
	Last  Ending
}

// Endings returns the endings since the last call, for the caller to write down: the registry itself writes
// nothing while it holds its lock.
func (r *Registry) Endings() ([]Ending, Unseen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ended, unseen := r.endings, r.unseen
	r.endings, r.unseen = nil, Unseen{}
	return ended, unseen
}

// note has the end of an ownership written down: each reap's in any case.
func (r *Registry) note(o *ownership, reason string) {
	e := Ending{Job: o.entry.job, Run: o.run, Name: o.session.name, PID: o.session.peer.PID, Reason: reason}
	if o.known || len(o.entry.reaping) > 0 {
		r.endings = append(r.endings, e)
		return
	}
	r.unseen.Count++
	r.unseen.Last = e
}

// end takes the ownership away. How is one of clear, died, lost, closed and revoked.
func (r *Registry) end(o *ownership, at time.Duration, how string) {
	o.entry.slots[slot(o.role)] = nil
	delete(o.session.owned, o.token)
	delete(r.tokens, o.token)
	r.free(o.session.peer.UID)
	if o.role == watchdog.Finalizer {
		r.owned--
		o.session.finalizers--
		r.order.remove(o)
		r.dropBudget(o)
		r.cfg.Observer.Released(how, o.stage, at-o.markedAt)
		if w := o.entry.slots[slot(watchdog.Worker)]; w != nil && w.session.dead {
			r.died = append(r.died, o.entry.job) // nobody protects it any more
			r.wakeReaper()
		}
	}
	r.tidy(o.entry, at)
}

// lose ends an ownership whose lease lapsed while its connection was gone. The grace counts from there, as it does from a
// clear.
func (r *Registry) lose(o *ownership, at time.Duration) {
	if o.role == watchdog.Finalizer {
		o.entry.cleared = r.letGo(o, o.session.leaseUntil())
	}
	r.note(o, "lost")
	r.end(o, at, "lost")
}

// letGo is from what the grace of the job counts once a finalizer has let go of it at the instant. One of a run that
// nobody has seen takes no place from one that counts.
func (r *Registry) letGo(o *ownership, at time.Duration) clear {
	before := o.entry.cleared
	same := before.run == o.run
	if !o.known && before.known && !same && at < before.at+r.cfg.Grace {
		return before
	}
	return clear{run: o.run, at: at, known: o.known || same && before.known}
}

// most is how many revocations without a reap are remembered of one job.
const most = 16

// withdraw ends an ownership without a reap: its token is revoked, its run may be marked again.
func (r *Registry) withdraw(o *ownership, at time.Duration, how, reason string) {
	e := o.entry
	mild := 0
	for _, v := range e.revoked {
		if v.tier == 0 {
			mild++
		}
	}
	if mild >= most {
		oldest := slices.IndexFunc(e.revoked, func(v revocation) bool { return v.tier == 0 })
		e.revoked = slices.Delete(e.revoked, oldest, oldest+1)
	}
	e.revoked = append(e.revoked, revocation{token: o.token, uid: o.session.peer.UID,
		reason: watchdog.Reason(reason), at: at})
	r.tell(o, at, how, reason)
}

// tell ends an ownership because of something that its owner has to know.
func (r *Registry) tell(o *ownership, at time.Duration, how, reason string) {
	if o.session.connected {
		o.session.peer.Tell(protocol.Event{Job: string(o.entry.job), Token: o.token, Reason: reason})
	}
	r.note(o, reason)
	r.end(o, at, how)
}
