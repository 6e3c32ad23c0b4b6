package simulation

import (
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/liveness"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// drain ends all faults, lets everything come to its end, and looks whether it does.
func (w *world) drain() {
	w.mu.Lock()
	w.draining = true
	w.note("no more faults")
	w.db.trouble, w.db.commits = trouble{}, nil
	w.db.healthy = min(w.db.healthy, w.now())
	i := w.watchdog
	for n, l := range w.lives {
		l.gate.set(false)
		if l.dead.Load() {
			w.lives[n] = w.begin("last", honest, true)
		}
	}
	w.mu.Unlock()
	if i != nil {
		i.strike.Store(nil)
		w.mu.Lock()
		i.resumed = w.now()
		w.mu.Unlock()
		i.gate.set(false)
	}
	if !w.sleep(3 * w.settings.lease) {
		return
	}
	w.mu.Lock()
	down := w.watchdog == nil
	w.mu.Unlock()
	if down {
		if err := w.start(); err != nil {
			w.blameNow("simulator", "%v", err)
		}
	}
	w.mu.Lock()
	if !w.enabled {
		w.flick(true)
	}
	w.mu.Unlock()
	s := w.settings
	if !w.watch(4*s.policy.Ceiling + 3*time.Minute) {
		return
	}
	pending := w.watchdog.reaper.Status().Pending
	for range 15 {
		if pending == 0 || !w.sleep(time.Second) {
			break
		}
		pending = w.watchdog.reaper.Status().Pending
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !s.dryRun {
		w.witness.conclude(pending)
	}
}

// conclude looks at what is left when everything has come to its end.
func (t *witness) conclude(pending int) {
	w := t.w
	if !w.settled() {
		w.blame("every job comes to its end", "not all have")
	}
	for x, said := range t.told {
		r := w.db.rows[x.job]
		for _, v := range said {
			if _, done := t.reaped[x]; !done && v.by == w.watchdog && r.Open() && r.Run == x.run {
				w.blame("who was revoked was reaped", "job %s, run %s was revoked by %s (%s) at %v, and its row is as it was", x.job, x.run, v.by.name, v.reason, v.at)
			}
		}
	}
	if pending != 0 {
		w.blame("a reap is settled", "%d are pending", pending)
	}
}

// massacre ends every process but the watchdog.
func (w *world) massacre() {
	w.mu.Lock()
	everyone := slices.Clone(w.everyone)
	w.mu.Unlock()
	for _, l := range everyone {
		l.die(0, false)
		for _, e := range l.ends { // a child's, too
			e.Close()
		}
	}
}

// forgotten looks whether the watchdog forgets who is gone: sessions with their leases, the dead owners of jobs that
// were closed by the minute.
func (w *world) forgotten(i *incarnation) {
	var left watchdog.Owners
	var owned []watchdog.JobID
	for range 90 {
		if !w.sleep(w.settings.lease) {
			return
		}
		left, owned = i.registry.Count(w.boot()), i.registry.Owned()
		if len(owned) == 0 && left.Sessions[watchdog.ProofPidfd]+left.Sessions[watchdog.ProofNone] == 0 {
			w.full(i)
			return
		}
	}
	if !w.settings.dryRun {
		w.blameNow("nothing is kept for ever", "ownerships of %v are left, and sessions: %v", owned, left.Sessions)
	}
}

// full asks for as many ownerships as there may be: who finds less room knows of some that nobody is told of.
func (w *world) full(i *incarnation) {
	for n := range roomy {
		s := i.registry.Connect(w.boot(), liveness.Peer{UID: n}) // one user alone does not get all
		r := protocol.Request{Job: fmt.Sprint("probe ", n), Run: "1", Role: string(watchdog.Finalizer)}
		if reply, _ := i.registry.Mark(s, w.boot(), &r, nil); reply.Err != nil {
			w.blameNow("nothing is kept for ever", "there is room for %d ownerships and not for %d: %v", n, roomy, reply.Err)
			return
		}
	}
}

// end ends the world: everybody dies, and the watchdog forgets them.
func (w *world) end() {
	w.mu.Lock()
	i := w.watchdog
	w.ending = true
	w.mu.Unlock()
	w.massacre()
	if i != nil && w.ctx.Err() == nil {
		w.forgotten(i)
	}
	w.over()
	w.massacre()
	for _, each := range w.incarnations {
		each.kill(0)
		<-each.ended
	}
	w.group.Wait()
	synctest.Wait()
}
