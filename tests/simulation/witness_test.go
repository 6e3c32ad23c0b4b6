package simulation

import (
	"fmt"
	"slices"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// witness sees the world from outside: what went over the wires, what became of the rows, who lived. From that
// alone it says whether the guarantees were kept. The world's mutex guards it.
type witness struct {
	w        *world
	wires    int
	newest   uint64 // token that was given
	grants   map[name]*grant
	of       map[watchdog.JobID][]*grant // a job's, in the order in which they were first seen
	promises map[watchdog.JobID][]*promise
	reaped   map[execution]reap
	staged   map[attempt]bool // whether the reap was found justified
	marked   map[execution][]mark
	let      map[execution]time.Duration // when it was last cleared
	told     map[execution][]revocation
	ageReaps []ageReap
	ledger   map[watchdog.JobID][]deed
	damaged  bool // a state file could not be read
}

// name is what names an ownership for good. A liar may have one token given for several jobs.
type name struct {
	token uint64
	job   watchdog.JobID
}

type execution struct {
	job watchdog.JobID
	run watchdog.RunID
}

// attempt is one incarnation's doing about one version of a job.
type attempt struct {
	by      *incarnation
	job     watchdog.JobID
	version string
}

// grant is an ownership as it was given.
type grant struct {
	name
	run   watchdog.RunID
	role  watchdog.Role
	key   string
	uid   int
	wire  *wire         // where it is good
	first time.Duration // when the mark was sent that was first granted in this incarnation
	asked time.Duration // when the mark was sent that was last granted
	at    time.Duration // when that was answered

	clearing time.Duration // when its clear was sent; 0: it was not
	spoken   bool          // its clear went out on the wire
	cleared  bool          // and was answered
	told     bool          // that the token is good no more
	lost     bool          // it knows that it owns nothing more, by that or otherwise
	lostAt   time.Duration // when it was told, or found out
	guarded  bool          // the watchdog has read its job's row in a guarded stage since
	budgets  bool          // it told of a step with a budget
	checked  *incarnation  // that last answered a check of it positively
}

// loses takes in that the owner knows that it owns nothing more.
func (g *grant) loses(at time.Duration) {
	if !g.lost {
		g.lost, g.lostAt = true, at
	}
}

// same reports whether both are one finalization.
func (g *grant) same(h *grant) bool {
	return g.job == h.job && g.run == h.run && g.role == h.role && g.key == h.key && g.uid == h.uid
}

func (g *grant) String() string {
	return fmt.Sprintf("token %d of job %s, run %s, %s, by %s", g.token, g.job, g.run, g.role, g.wire.life.name)
}

// promise is a positive check.
type promise struct {
	grant                     // as it was then
	of          *grant        // as it is now
	from, until time.Duration // counted from when the check was sent
	over        time.Duration // when the holder let go of it; 0: it did not
	by          *incarnation
	holder      *life
}

func (p *promise) runs(at time.Duration) bool { return at < p.until && p.over == 0 }

// mark is one that was asked for, whether or not anybody was there any more to be answered.
type mark struct {
	*wire
	question
}

// unanswered reports whether what came of it is not known: who asked did not stay for the answer.
func (m mark) unanswered() bool {
	return slices.ContainsFunc(m.asked, func(q question) bool { return q.Op == protocol.OpMark && q.at == m.at })
}

type reap struct {
	at time.Duration
	by *incarnation
}

type revocation struct {
	by     *incarnation
	at     time.Duration
	reason string
}

func newWitness(w *world) *witness {
	return &witness{w: w, grants: make(map[name]*grant), of: make(map[watchdog.JobID][]*grant),
		promises: make(map[watchdog.JobID][]*promise), reaped: make(map[execution]reap), staged: make(map[attempt]bool),
		ledger: make(map[watchdog.JobID][]deed), let: make(map[execution]time.Duration), marked: make(map[execution][]mark), told: make(map[execution][]revocation)}
}

func (t *witness) connects(l *life, i *incarnation) *wire {
	t.wires++
	return &wire{n: t.wires, life: l, of: i, heard: t.w.now(), lease: t.w.settings.lease}
}

// asks takes in a request when it is sent.
func (t *witness) asks(c *wire, q question) {
	if q.Op == protocol.OpMark {
		x := execution{watchdog.JobID(q.Job), watchdog.RunID(q.Run)}
		t.marked[x] = append(t.marked[x], mark{c, q})
	}
	g := t.grants[name{q.Token, watchdog.JobID(q.Job)}]
	if g == nil || g.wire != c {
		return
	}
	switch q.Op {
	case protocol.OpStep:
		g.budgets = g.budgets || q.Budget != 0
	case protocol.OpClear:
		g.spoken = true
		t.clears(g, q.at)
	}
}

// letsGo takes in that a finalizer is done, whether or not it has a connection on which to say so.
func (t *witness) letsGo(job watchdog.JobID, key string) {
	for _, g := range t.of[job] {
		if g.key == key {
			t.clears(g, t.w.now())
		}
	}
}

// clears takes in that an owner lets go of its job.
func (t *witness) clears(g *grant, at time.Duration) {
	t.let[execution{g.job, g.run}] = at
	if g.clearing == 0 {
		g.clearing = at
	}
	for _, p := range t.promises[g.job] {
		if p.of == g && p.over == 0 {
			p.over = at
		}
	}
}

// answers takes in a reply when it is written.
func (t *witness) answers(c *wire, q question, m protocol.Message) {
	if q.Op != protocol.OpBeat {
		t.w.note("%s answers %s %s at %v: %s", c.of.name, c.life.name, q.Op, q.at-time.Hour, line(q, m))
	}
	g := t.grants[name{q.Token, watchdog.JobID(q.Job)}]
	switch {
	case q.Op == protocol.OpMark && m.OK:
		t.granted(c, q, m.Token)
	case q.Op == protocol.OpCheck && m.OK:
		t.promised(c, q, m)
	case q.Op == protocol.OpClear && m.OK && g != nil && g.wire == c:
		t.clears(g, q.at) // when it was sent, the token may not have been known yet
		g.cleared = true
	case m.Error == protocol.Revoked:
		t.refused(c, q, m, g)
	case m.Error == protocol.NotOwner && q.Op != protocol.OpMark:
		if g != nil && g.wire == c && g.at < q.at && g.clearing == 0 && !g.lost && c.ended == 0 && c.life.client != nil && !t.taken(g) {
			t.w.blame("who was granted owns", "%v is refused its %s, and nobody has told it why", g, q.Op)
		}
	case q.Op == protocol.OpMark && g != nil && g.wire.life == c.life && (m.Error == protocol.Owned || m.Error == protocol.NotOwner):
		if m.Error == protocol.NotOwner && t.inTime(c, g) {
			t.w.blame("who comes back in time owns", "%v comes back %v after its connection ended, and is not known", g, q.at-g.wire.ended)
		}
		g.loses(t.w.now())
	}
}

// inTime reports whether an owner that comes back under its token does so within its lease.
func (t *witness) inTime(c *wire, g *grant) bool {
	return c.life.client != nil && g.uid == honest && g.wire.of == c.of && g.wire.ended != 0 && g.clearing == 0 && !g.lost && !t.taken(g) &&
		t.w.now() < max(g.wire.heard, g.wire.ended)+t.w.settings.lease
}

func line(q question, m protocol.Message) string {
	asked := fmt.Sprintf("job %s run %s %s token %d", q.Job, q.Run, q.Role, q.Token)
	if m.OK {
		return fmt.Sprintf("%s: token %d", asked, m.Token)
	}
	return fmt.Sprintf("%s: %s %s", asked, m.Error, m.Reason)
}

// granted takes in a mark that was granted.
func (t *witness) granted(c *wire, q question, token uint64) {
	n := name{token, watchdog.JobID(q.Job)}
	g := t.grants[n]
	switch {
	case q.Token != 0 && token != q.Token:
		t.w.blame("tokens", "token %d was resumed as %d", q.Token, token)
	case q.Token == 0 && g == nil:
		t.fresh(c, q, token)
	case q.Token == 0:
		// Of a liar not every reply is seen: it hangs up before it has read them.
		if c.life.client != nil && (g.run != watchdog.RunID(q.Run) || g.role != watchdog.Role(q.Role) || g.key != q.Key || g.uid != c.life.uid || q.Key == "" && g.wire != c) {
			t.w.blame("tokens", "%v is given again for run %s, key %q, of %s", g, q.Run, q.Key, c.life.name)
		}
	case g != nil:
		t.resumed(c, q, g)
	}
	if g == nil {
		g = &grant{}
		t.grants[n] = g
		t.of[n.job] = append(t.of[n.job], g)
	}
	other := q.Token != 0 && (g.uid != c.life.uid || g.run != watchdog.RunID(q.Run) || g.role != watchdog.Role(q.Role))
	if g.wire == nil || g.wire.of != c.of || g.clearing != 0 || other { // nothing is known of it: the mark's word counts
		*g = grant{name: n, run: watchdog.RunID(q.Run), role: watchdog.Role(q.Role), key: q.Key, uid: c.life.uid, first: q.at}
	}
	g.wire, g.asked, g.at = c, q.at, t.w.now()
	if q.Token == 0 {
		t.newest = max(t.newest, token)
	}
}

// fresh looks at a token that was given for the first time.
func (t *witness) fresh(c *wire, q question, token uint64) {
	job, run := watchdog.JobID(q.Job), watchdog.RunID(q.Run)
	if token <= q.newest && !t.asksAgain(c, q) {
		t.w.blame("tokens grow", "%s gives token %d when %d had been seen before the mark was sent", c.of.name, token, q.newest)
	}
	if r, ok := t.reaped[execution{job, run}]; ok && r.by == c.of && r.at < q.at {
		t.w.blame("no run is granted afresh", "job %s, run %s was reaped, and is granted to %s under token %d", job, run, c.life.name, token)
	}
	if p := t.running(job, watchdog.Role(q.Role), nil); p != nil && p.from < q.at && !t.damaged {
		t.w.blame("a hold keeps others out", "%v has a hold until %v, and %s is granted the job under token %d", &p.grant, p.until, c.life.name, token)
	}
}

// asksAgain reports whether the same mark was made before on another connection, where it may have been granted
// without anybody being told.
func (t *witness) asksAgain(c *wire, q question) bool {
	for _, m := range t.marked[execution{watchdog.JobID(q.Job), watchdog.RunID(q.Run)}] {
		if m.wire != c && m.of == c.of && m.life.uid == c.life.uid && m.Key == q.Key && m.Role == q.Role {
			return true
		}
	}
	return false
}

// resumed looks at a token that was given back.
func (t *witness) resumed(c *wire, q question, g *grant) {
	here := g.wire.of == c.of
	if here && g.wire.ended == 0 && !g.lost && g.clearing == 0 && (g.run != watchdog.RunID(q.Run) || g.role != watchdog.Role(q.Role)) {
		t.w.blame("a token names one ownership", "%v is resumed for run %s as %s", g, q.Run, q.Role)
	}
	if here && !g.lost && g.clearing == 0 && g.wire.ended == 0 && g.uid != c.life.uid {
		t.w.blame("a token is its user's", "%v is resumed by %s of another user", g, c.life.name)
	}
	if p := t.running(g.job, g.role, nil); p != nil && p.of == g && p.uid != c.life.uid && p.from < q.at && !t.damaged {
		t.w.blame("a token is its user's", "%v has a hold, and is resumed by %s of another user", g, c.life.name)
	}
	if here && g.told && g.at < q.at && g.role == watchdog.Role(q.Role) {
		t.w.blame("revoked is for good", "%v was told so, and is resumed", g)
	}
}

// read takes in that the watchdog has read rows, for which it asked at the given time. It believes them about
// what was marked before the instant that it has noted ahead of that.
func (t *witness) read(by *incarnation, asked time.Duration, jobs []watchdog.Job) {
	for _, j := range jobs {
		for _, g := range t.of[j.ID] {
			if g.wire.of == by && g.run == j.Run && g.at < asked-t.w.settings.statement/2 && slices.Contains(t.w.settings.policy.GuardedStages, j.Stage) {
				g.guarded = true
			}
		}
	}
}
