package simulation

import (
	"slices"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// ageReap is a reap that rests on nothing but the job's age.
type ageReap struct {
	by   *incarnation
	at   time.Duration
	open int           // jobs that were
	pass time.Duration // when it was judged: those of one pass are counted before the first of them is applied
}

// stages takes in that the watchdog has changed a row in a transaction that is not committed.
func (t *witness) stages(by *incarnation, from watchdog.Job, now time.Time) {
	a := attempt{by, from.ID, from.Version}
	if t.staged[a] {
		return // what it rests on has been judged, and its commit tried
	}
	t.staged[a] = false
	t.w.note("%s changes job %s, version %s, as of %v", by.name, from.ID, from.Version, now.Sub(t.w.db.stamp()))
	by.instants[a] = now
	if t.w.settings.dryRun {
		t.w.blame("a dry run writes nothing", "%s changes job %s", by.name, from.ID)
	}
}

// commits looks at a transaction when its commit begins: all that it rests on has been judged, and its owners have
// been revoked. What comes to be known later is for the next version.
func (t *witness) commits(x *tx) {
	for id := range x.staged {
		from := t.w.db.rows[id].Job
		if a := (attempt{x.by, id, from.Version}); !t.staged[a] {
			t.staged[a] = true
			t.justify(x.by, from, x.by.instants[a])
		}
	}
}

// reaps looks at a reap when it takes place.
func (t *witness) reaps(by *incarnation, from, to watchdog.Job) {
	now := t.w.now()
	if !from.Open() {
		t.w.blame("only open jobs are reaped", "%s makes job %s %s, which is %s", by.name, from.ID, to.Status, from.Status)
	}
	for _, p := range t.promises[from.ID] {
		if p.runs(now) {
			t.w.blame("a hold is kept", "job %s is reaped by %s, and %v has a hold until %v", from.ID, by.name, &p.grant, p.until)
		}
	}
	t.reaped[execution{from.ID, from.Run}] = reap{now, by}
}

// justify asks whether there was reason enough to reap a job. N is the instant of the rows' clock that was handed
// to the statement.
func (t *witness) justify(by *incarnation, j watchdog.Job, n time.Time) {
	w := t.w
	p, now := w.settings.policy, w.now()
	on, off := w.enabled, !w.enabled
	if settled := now-w.switched > 10*w.settings.statement; !settled {
		on, off = true, true // it may have been judged before or after
	}
	judged := now - w.db.stamp().Sub(n) // on the boot clock
	jumped := t.jumped(by, judged)
	if w.db.moved > now-10*w.settings.statement {
		judged = now // whether N is by the clock before the step is not known
	}
	switch died := t.bereaved(by, j); {
	case n.Sub(j.Began()) >= p.Ceiling:
		if jumped && !(died && on) {
			w.blame("a clock that jumped is not believed", "job %s is reaped as too old", j.ID)
		}
	case died && on:
		if live := t.protector(by, j, now); live != nil && !off {
			w.blame("no live finalizer is reaped", "job %s is reaped for the death of another, and %v lives", j.ID, live)
		}
	case !j.Finished():
		w.blame("nothing is reaped without cause", "job %s is reaped %v after it began, its run is not over", j.ID, n.Sub(j.Began()))
	case n.Sub(j.FinishedAt) < p.Grace:
		w.blame("nothing is reaped without cause", "job %s is reaped %v after its run finished", j.ID, n.Sub(j.FinishedAt))
	case jumped:
		w.blame("a clock that jumped is not believed", "job %s is reaped as unfinalized", j.ID)
	case judged < by.began+w.settings.warmup:
		w.blame("nothing is reaped by age in the warm-up", "job %s is, %v after %s started", j.ID, judged-by.began, by.name)
	default:
		t.byAge(by, j, judged, !off)
	}
}

// byAge looks at a reap that only the job's age can justify.
func (t *witness) byAge(by *incarnation, j watchdog.Job, judged time.Duration, on bool) {
	w := t.w
	if on {
		live := t.protector(by, j, judged)
		if live == nil {
			live = t.protector(by, j, w.now())
		}
		if live != nil {
			w.blame("no live finalizer is reaped", "job %s is reaped for its age, and %v lives", j.ID, live)
		}
		for _, g := range t.of[j.ID] {
			if t.letGo(g) && g.wire.of == by && g.run == j.Run && g.role == watchdog.Finalizer && w.now()-g.clearing < w.settings.policy.Grace && g.uid == honest {
				w.blame("the grace counts from the clear", "job %s is reaped for its age %v after %v was cleared", j.ID, w.now()-g.clearing, g)
			}
		}
	}
	open := len(w.db.page("", 1000, func(watchdog.Job) bool { return true }))
	t.ageReaps = append(t.ageReaps, ageReap{by: by, at: w.now(), open: open, pass: judged})
	most, count, before := 0, 0, 0
	for _, r := range t.ageReaps {
		if r.by == by && w.now()-r.at < w.settings.policy.Grace {
			count++
			most = max(most, r.open)
			if r.pass != judged {
				before++
			}
		}
	}
	if count >= w.settings.policy.BrakeMin && float64(count) > w.settings.policy.BrakeRatio*float64(most+before)+1 {
		w.blame("many at once without proof brake", "%d of at most %d jobs were reaped for their age within one grace", count, most)
	}
}

// letGo reports whether the grace counts from the clear of an owner. The watchdog remembers one clear of a job: a
// liar that clears another run takes this one's place.
func (t *witness) letGo(g *grant) bool {
	for x, at := range t.let {
		if x.job == g.job && x.run != g.run && at >= g.clearing {
			return false
		}
	}
	return g.cleared
}

// jumped reports whether the incarnation, when it judged, must have known that the rows' clock had jumped.
func (t *witness) jumped(by *incarnation, judged time.Duration) bool {
	db := t.w.db
	return db.stepped != 0 && by.began < db.stepped && by.passed != 0 && by.passed < db.stepped &&
		judged > db.stepped && judged <= t.w.now() && judged < db.stepped+t.w.settings.policy.Grace
}

// bereaved reports whether somebody who was, or may have been, granted the job's run is known to have died.
func (t *witness) bereaved(by *incarnation, j watchdog.Job) bool {
	for _, m := range t.marked[execution{j.ID, j.Run}] {
		if t.saidGoodbye(m) {
			continue // and that has to be read before its death is acted upon
		}
		if m.of == by && (m.Role == string(watchdog.Worker)) != j.Finished() && m.life.noticed != 0 && m.life.proof != watchdog.ProofNone {
			return true
		}
	}
	return false
}

// saidGoodbye reports whether who made the mark has cleared it on a connection that stood until its death.
func (t *witness) saidGoodbye(m mark) bool {
	for _, g := range t.of[watchdog.JobID(m.Job)] {
		if g.spoken && g.wire == m.wire && string(g.role) == m.Role && string(g.run) == m.Run && m.life.client != nil {
			return m.ended == 0 || m.ended >= m.life.died
		}
	}
	return false
}

// diedOf is an owner of the job's run whose death the kernel has told and by whose death the job may be reaped.
func (t *witness) diedOf(by *incarnation, j watchdog.Job) *grant {
	role := watchdog.Worker
	if j.Finished() {
		role = watchdog.Finalizer
	}
	for _, g := range t.of[j.ID] {
		if g.run == j.Run && g.role == role && g.wire.of == by && g.wire.life.noticed != 0 && g.wire.life.proof != watchdog.ProofNone &&
			(role == watchdog.Worker || g.guarded || j.Stage == guarded) {
			return g
		}
	}
	return nil
}

// protector is a finalizer of the job's run that lives, and of which the watchdog has to know at the instant.
func (t *witness) protector(by *incarnation, j watchdog.Job, at time.Duration) *grant {
	rivals := 0
	for _, g := range t.of[j.ID] {
		if g.wire.of == by {
			rivals++
		}
	}
	for _, g := range t.of[j.ID] {
		if g.run != j.Run || g.role != watchdog.Finalizer || g.clearing != 0 || g.lost || g.wire.life.died != 0 || g.wire.life.client == nil || g.at > at ||
			!g.guarded && j.Stage != guarded || j.Stage != guarded && g.wire.of != by {
			continue
		}
		if t.known(by, g, at, rivals) && !t.taken(g) {
			return g
		}
	}
	return nil
}

// taken reports whether another may have been granted the job, and not stayed to hear so: while its owner was away, or by
// a token that it guessed.
func (t *witness) taken(g *grant) bool {
	return slices.ContainsFunc(t.marked[execution{g.job, g.run}], func(m mark) bool {
		return m.Role == string(g.role) && m.wire != g.wire && (g.wire.ended != 0 || m.Token == g.token) && m.unanswered()
	})
}

// known reports whether the watchdog has to know at the instant that an owner lives.
func (t *witness) known(by *incarnation, g *grant, at time.Duration, rivals int) bool {
	s := t.w.settings
	if g.wire.of != by { // its process has had all the time it needs to resume
		since := max(g.wire.life.free, by.resumed)
		return rivals == 0 && g.uid == honest && at-since > s.lease+time.Second
	}
	if s.policy.ReapStalled && (g.budgets || at-g.wire.heard > s.lease/2) {
		return false
	}
	if g.wire.ended == 0 {
		return true
	}
	since := max(g.wire.heard, g.wire.ended)
	if since+s.lease > by.stilled { // else it was lost before
		since = max(since, by.resumed)
	}
	return g.uid == honest && at < since+s.lease
}
