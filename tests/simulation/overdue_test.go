package simulation

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// look asks whether something should have happened by now that has not. The caller holds the world's mutex.
func (t *witness) look() {
	i := t.w.watchdog
	if i == nil || i.gate.stopped() || t.w.settings.dryRun {
		return
	}
	for _, id := range t.w.db.ids {
		if r := t.w.db.rows[id]; r.Open() {
			t.overdue(i, r)
		}
	}
}

// calm is since when nothing has kept the watchdog from a job: no trouble, no stop, no lock, no hold.
func (t *witness) calm(i *incarnation, r *row) time.Duration {
	w := t.w
	since := max(w.db.healthy, i.resumed, r.history[len(r.history)-1].at, r.touched)
	if t.damaged {
		since = max(since, i.began+w.settings.hold)
	}
	for _, p := range t.promises[r.ID] {
		switch {
		case p.of.cleared:
			since = max(since, p.over)
		case p.by != i: // a state file rounds up
			since = max(since, p.until+w.settings.hold+time.Second)
		default:
			since = max(since, p.until)
		}
	}
	return since
}

// patience is how long what is due may take: a pass, slow statements, and the pauses after failures that may have
// grown.
func (t *witness) patience(i *incarnation) time.Duration {
	s := t.w.settings
	most := s.interval + 8*s.statement
	if t.w.now()-t.w.db.healthy < time.Minute && t.w.db.healthy != 0 {
		most += 30 * time.Second
	}
	return most
}

func (t *witness) overdue(i *incarnation, r *row) {
	w := t.w
	s, now := w.settings, w.now()
	calm, most := t.calm(i, r), t.patience(i)
	if w.db.moved != 0 {
		calm = max(calm, w.db.moved+2*s.policy.Grace)
	}
	began := now - w.db.stamp().Sub(r.Began())
	if due := max(calm, began+s.policy.Ceiling); now > due+most {
		w.blame("nothing waits for ever", "job %s is %v old, and nothing has kept the backstop away for %v", r.ID, now-began, now-due)
	}
	if t.contradictory(r) {
		return // it waits for the backstop
	}
	calm = max(calm, w.switched)
	if w.enabled {
		t.unavenged(i, r, calm)
	}
	if !r.Finished() {
		return
	}
	finished := t.finished(r)
	if s.policy.BrakeMin < 10 || w.enabled && t.maybeOwned(i, r) {
		return
	}
	due := max(calm, finished+s.policy.Grace, i.began+s.warmup)
	if w.enabled {
		due = max(due, t.let[execution{r.ID, r.Run}]+s.policy.Grace)
	}
	for _, g := range t.of[r.ID] {
		if g.run == r.Run && w.enabled {
			due = max(due, g.lostAt, max(g.wire.heard, g.wire.ended)+s.lease+s.policy.Grace+time.Second)
		}
	}
	for _, m := range t.marked[execution{r.ID, r.Run}] {
		if w.enabled && m.of == i && m.unanswered() {
			due = max(due, max(m.ended, i.resumed)+s.lease+s.policy.Grace+time.Second)
		}
	}
	if now > due+most {
		w.blame("what nobody finalizes is recovered", "job %s finished %v ago, nobody owns it, and nothing has kept the watchdog from it for %v", r.ID, now-finished, now-due)
	}
}

// contradictory reports whether a clock that was set back has left a row that nobody can make sense of.
func (t *witness) contradictory(r *row) bool {
	latest := t.w.db.stamp().Add(t.w.settings.policy.Grace / 2)
	return r.Finished() && r.FinishedAt.Before(r.Began()) || r.FinishedAt.After(latest) || r.Began().After(latest)
}

// unavenged asks whether an owner of the job whose death is proven should have been acted upon. Who died before its
// run was over is looked for by the minute only.
func (t *witness) unavenged(i *incarnation, r *row, calm time.Duration) {
	w := t.w
	g := t.diedOf(i, r.Job)
	if g == nil || g.clearing != 0 || g.lost || !t.alone(g) || g.role == watchdog.Worker && t.protected(r) {
		return
	}
	if ended := g.wire.ended; ended != 0 && g.wire.life.noticed >= ended+g.wire.lease {
		return // it was taken for lost before the kernel told
	}
	due := max(calm, g.wire.life.noticed)
	for _, q := range g.wire.asked { // it did not stay for the answer, which may have been a hold
		if q.Op == protocol.OpCheck && q.Token == g.token {
			due = max(due, g.wire.life.noticed+w.settings.hold)
		}
	}
	for _, h := range t.of[r.ID] {
		if h.role != g.role {
			due = max(due, h.clearing, h.wire.heard+w.settings.lease)
		}
	}
	if finished := t.finished(r); r.Finished() && g.wire.life.noticed < finished+time.Second {
		due = max(due, finished+time.Minute)
	}
	if t.recovered(r) {
		due += w.settings.policy.Grace
	}
	most := time.Second + 4*w.settings.statement
	if w.settings.hurried {
		most = time.Second + w.settings.statement/2
	}
	if i.resumed > i.began { // a mark that lay unread may protect the job for a lease
		most += w.settings.lease
	}
	if w.db.healthy != 0 {
		most += 6 * time.Second // it is tried again with pauses that grow
	}
	if w.now() > due+most {
		w.blame("a proven death is recovered at once", "%v died %v ago, nothing has kept the watchdog from it for %v, and its job is open", g, w.now()-g.wire.life.died, w.now()-due)
	}
}

// finished is when the row's run finished, on the boot clock.
func (t *witness) finished(r *row) time.Duration { return t.w.now() - t.w.db.stamp().Sub(r.FinishedAt) }

// protected reports whether a finalizer of the job may be alive.
func (t *witness) protected(r *row) bool {
	for _, g := range t.of[r.ID] {
		if g.role == watchdog.Finalizer && !g.cleared && !g.lost && (g.wire.life.died == 0 || g.wire.ended == 0) {
			return true
		}
	}
	return false
}

// alone reports whether nobody else has been granted the owner's job since.
func (t *witness) alone(g *grant) bool {
	for _, h := range t.of[g.job] {
		if h != g && h.run == g.run && h.role == g.role && h.token > g.token {
			return false
		}
	}
	return true
}

// maybeOwned reports whether somebody who lives may own the job in the watchdog's eyes, or died as its owner.
func (t *witness) maybeOwned(i *incarnation, r *row) bool {
	for _, g := range t.of[r.ID] {
		l := g.wire.life
		gone := l.died != 0 && (g.wire.of != i || l.proof == watchdog.ProofNone && g.wire.ended != 0)
		if g.run == r.Run && g.role == watchdog.Finalizer && !g.cleared && !g.lost && !gone {
			return true
		}
	}
	return false
}

// recovered reports whether the job was reaped before.
func (t *witness) recovered(r *row) bool {
	for _, c := range r.history {
		if _, ok := t.reaped[execution{r.ID, c.from.Run}]; ok {
			return true
		}
	}
	return false
}

// unsettled is for how long too long the outcome of a reap has not been known; 0 when it is not too long.
func (t *witness) unsettled(by *incarnation, job watchdog.JobID) time.Duration {
	r := t.w.db.rows[job]
	calm := max(t.w.db.healthy, by.resumed, r.history[len(r.history)-1].at, r.touched)
	if now := t.w.now(); now > calm+10*time.Second+8*t.w.settings.statement {
		return now - calm
	}
	return 0
}
