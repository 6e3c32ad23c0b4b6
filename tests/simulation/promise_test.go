package simulation

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// promised looks at a check that was answered positively, when the reply is written.
func (t *witness) promised(c *wire, q question, m protocol.Message) {
	g := t.grants[name{q.Token, watchdog.JobID(q.Job)}]
	now := t.w.now()
	if g == nil {
		t.w.blame("only an owner passes a check", "%s passes a check of job %s under token %d, which was never given", c.life.name, q.Job, q.Token)
		return
	}
	switch {
	case g.uid != c.life.uid:
		t.w.blame("only an owner passes a check", "%s passes one under %v, another user's", c.life.name, g)
	case g.wire != c && g.at < q.at:
		t.w.blame("a token is good in one session", "%s passes a check under %v, which is good elsewhere", c.life.name, g)
	case g.spoken && g.wire == c && g.clearing < q.at:
		t.w.blame("cleared is ended", "%v passes a check after its clear", g)
	case g.told && g.wire == c && g.at < q.at:
		t.w.blame("revoked is for good", "%v passes a check after it was told", g)
	}
	if r, ok := t.reaped[execution{g.job, g.run}]; ok && r.at < q.at {
		t.w.blame("who was reaped passes no check", "%v passes one, and its run was reaped at %v by %s", g, r.at, r.by.name)
	}
	if g.checked != c.of && !t.w.db.openUnder(g.job, g.run, q.at) {
		t.w.blame("the first check asks the database", "%v passes it, and its job is not open under that run", g)
	}
	if other := t.running(g.job, g.role, g); other != nil {
		t.w.blame("one at a time", "%v passes a check while %v has a hold until %v", g, &other.grant, other.until)
	}
	for _, newer := range t.of[g.job] {
		if newer.role == g.role && newer.token > g.token && newer.wire.of == c.of && newer.at < q.at && newer.wire.ended == 0 && newer.clearing == 0 && !newer.lost {
			t.w.blame("the newest token owns", "%v passes a check, and %v is newer", g, newer)
		}
	}
	if !t.w.enabled && t.w.switched < q.at {
		t.w.blame("switched off no hold is given", "%v is given one", g)
	}
	if row := t.w.db.rows[g.job]; row != nil && !t.w.db.steps && row.Open() && row.Run == g.run {
		if began := row.Began(); t.w.db.stamp().Add(q.at-now).Sub(began) >= t.w.settings.policy.Ceiling {
			t.w.blame("past the ceiling no hold is given", "%v is given one", g)
		}
	}
	length := time.Duration(m.HoldS * float64(time.Second))
	if length > t.w.settings.hold {
		t.w.blame("a hold is at most the setting", "%v is given %v", g, length)
	}
	g.checked = c.of
	t.w.note("%s promises %v %v", c.of.name, g, length)
	t.promises[g.job] = append(t.promises[g.job], &promise{grant: *g, of: g, from: q.at, until: q.at + length, by: c.of, holder: c.life})
}

// reapReasons are those by which a revocation speaks of the row.
var reapReasons = map[string]bool{"backstop": true, "owner-died": true, "unfinalized": true, "worker-died": true, "reaping": true}

// tells looks at an event when it is written.
func (t *witness) tells(c *wire, m protocol.Message) {
	g := t.grants[name{m.Token, watchdog.JobID(m.Job)}]
	if g == nil || g.wire != c && g.at < t.w.now() {
		t.w.blame("an event overtakes no token", "%s is told of token %d of job %s, which it does not have", c.life.name, m.Token, m.Job)
		return
	}
	for _, p := range t.promises[g.job] {
		if p.of == g && p.runs(t.w.now()) && m.Reason == "superseded" && !t.damaged {
			t.w.blame("a hold keeps others out", "%v has a hold until %v, and is told that it was superseded", g, p.until)
		}
	}
	t.revoked(c, g, m.Reason)
	g.loses(t.w.now())
	g.told = true
}

// refused looks at a reply that says revoked.
func (t *witness) refused(c *wire, q question, m protocol.Message, g *grant) {
	if g != nil && g.uid == c.life.uid {
		g.told = g.told || q.Op != protocol.OpMark && g.wire == c
		if g.told || q.Role == string(g.role) && q.Run == string(g.run) {
			g.loses(t.w.now())
		}
		t.revoked(c, g, m.Reason)
	}
	if q.Op != protocol.OpMark || q.Token != 0 {
		return
	}
	job, run := watchdog.JobID(q.Job), watchdog.RunID(q.Run)
	if !t.w.db.alwaysUnder(job, run, q.at) {
		return
	}
	attempt := attempt{c.of, job, t.w.db.rows[job].Version}
	if _, tried := t.staged[attempt]; m.Reason != "reaping" && !tried {
		t.w.blame("who runs may mark", "job %s is open under run %s, no reap of it was tried, and its mark by %s is refused: %s", job, run, c.life.name, m.Reason)
	}
	if m.Reason == "reaping" && t.unsettled(c.of, job) > 0 {
		t.w.blame("a reap is settled", "job %s is open under run %s and its mark is refused as reaping, %v after the last try", job, run, t.unsettled(c.of, job))
	}
}

// revoked looks at the word that an ownership was taken from somebody.
func (t *witness) revoked(c *wire, g *grant, reason string) {
	x := execution{g.job, g.run}
	switch {
	case reapReasons[reason]:
		if !t.stagedBy(c.of, g.job) {
			t.w.blame("no row changed, nobody revoked", "%v is told %s, and its row was not touched", g, reason)
		}
		t.told[x] = append(t.told[x], revocation{c.of, t.w.now(), reason})
	case reason == "closed":
		if c.life.client != nil && g.wire.of == c.of && t.w.db.alwaysUnder(g.job, g.run, g.first) {
			t.w.blame("who runs owns", "%v is told that its job is closed, and it is open under that run", g)
		}
	}
}

// stagedBy reports whether the incarnation has changed the job's row, committed or not.
func (t *witness) stagedBy(by *incarnation, job watchdog.JobID) bool {
	r := t.w.db.rows[job]
	if r == nil {
		return false
	}
	for _, c := range r.history {
		if _, tried := t.staged[attempt{by, job, c.to.Version}]; tried {
			return true
		}
	}
	return false
}

// running is a promise of somebody else than the given one that runs now.
func (t *witness) running(job watchdog.JobID, role watchdog.Role, but *grant) *promise {
	at := t.w.now()
	for _, p := range t.promises[job] {
		if p.runs(at) && p.role == role && (but == nil || !p.same(but)) {
			return p
		}
	}
	return nil
}
