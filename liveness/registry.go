package liveness

import (
	"sync"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// Rules is what the registry needs to know of the reaper's policy.
type Rules interface {
	// Guards reports whether a stage's finalizers are honoured.
	Guards(stage string) bool
	// Backstop is when the job's age reaches its ceiling; zero when its age is not known.
	Backstop(job watchdog.Job) time.Time
}

// Observer is told what happens to ownerships. Its methods are called under the registry's lock and must
// return at once.
type Observer interface {
	Marked(result string)
	Checked(result string)
	Released(how, stage string, owned time.Duration)
	FalseReap(tier watchdog.Tier)
}

// Limits bound what peers can make the registry hold.
type Limits struct {
	PerSession int // ownerships of one session
	Total      int // ownerships in all; of one user as many as are free for the others
	Remembered int // jobs that nobody owns any more, but whose clear or revocation still counts; twice: see worth
}

// Config is what a Registry is made of. All fields but Stages are required.
type Config struct {
	Lease    time.Duration // the longest, and the default
	Hold     time.Duration // the longest, and the default
	Grace    time.Duration // the longest of any stage: a clear matters for that long
	Limits   Limits
	Stages   []string // those whose oldest mark is told apart; the others count together
	Rules    Rules
	Enabled  func() bool // the kill switch; off: no hold is given
	Observer Observer
}

// Registry holds who owns which job. It is safe for concurrent use. Instants are on CLOCK_BOOTTIME.
type Registry struct {
	cfg    Config
	deaths chan struct{}

	mu        sync.Mutex
	jobs      map[watchdog.JobID]*entry
	tokens    map[uint64]*ownership // all that there are
	shares    map[int]int           // how many of them each user has
	sessions  map[*Session]struct{} // of living processes
	connected uint64                // how many sessions there ever were
	firstAt   time.Duration         // when the first of them connected
	shortest  time.Duration         // the shortest lease among them
	tickedAt  time.Duration

	inherited uint64 // the last that may have been given by the watchdog before this one
	token     uint64 // the last given
	bound     uint64 // no token above it is given, or believed

	owned    int   // finalizers' ownerships
	order    order // finalizers' ownerships
	budgets  *queue
	died     []watchdog.JobID
	strange  []watchdog.JobID // of the died, those that the database was not seen to hold
	restored map[uint64]Hold  // by token: those that ran when the watchdog started
	heldAll  time.Duration    // until then every job counts as held: the holds before a restart are not known
	memory   remembered       // jobs that nobody owns
	endings  []Ending
	unseen   Unseen
}

// entry is what is known of one job.
type entry struct {
	job     watchdog.JobID
	slots   [2]*ownership // by slot()
	newest  [2]given      // the newest token for it, by slot
	holds   [2]hold       // by slot
	cleared clear
	reaping []revocation // by a reap whose outcome is not known yet
	revoked []revocation // for good

	remembered    bool  // it is among those that nobody owns
	worth         worth // there
	before, after *entry
}

// revocation says that a run of a job cannot be marked afresh, and, if it was owned, under which token it
// was.
type revocation struct {
	run    watchdog.RunID
	token  uint64 // 0: nobody owned it
	uid    int
	reason watchdog.Reason
	tier   watchdog.Tier
	at     time.Duration
	spoke  bool // the owner was heard of again under the token
}

// hold is a promise not to reap.
type hold struct {
	until time.Duration
	token uint64        // whose
	uid   int           // whose
	kept  time.Duration // the end that the state file knows
}

// given is a token and the user to whom it was given.
type given struct {
	token uint64
	run   watchdog.RunID // empty when only a hold is known: it was the newest run when that was promised
	uid   int
}

// clear is when a finalizer let go of the job: it said so, or was silent for a lease.
type clear struct {
	run   watchdog.RunID
	at    time.Duration
	known bool // the database held the job open under that run
}

type ownership struct {
	entry   *entry
	session *Session
	run     watchdog.RunID
	key     string
	role    watchdog.Role
	task    string
	stage   string
	token   uint64

	markedAt  time.Duration
	known     bool          // its job's row was seen open under its run
	guarded   bool          // its job's row was seen in a guarded stage, or may have been: see mayGuard
	confirmed bool          // the database holds the job open under its run
	unsettled bool          // a reap of its job that another watchdog began may be under way
	askedAt   time.Duration // when its first check, which has not been answered yet, asked the database
	noHold    time.Duration // its job's backstop: no hold is given from there on; 0: not known

	step      string
	stepUntil time.Duration
	budget    int // its place among the budgets, plus one; 0: none
	late      bool
	line      *queue // of a finalizer: its stage's
	place     int    // in that, plus one
}

// NewRegistry returns an empty registry that gives tokens above last and up to bound.
func NewRegistry(cfg Config, last, bound uint64) *Registry {
	return &Registry{
		cfg:       cfg,
		deaths:    make(chan struct{}, 1),
		jobs:      make(map[watchdog.JobID]*entry),
		tokens:    make(map[uint64]*ownership),
		shares:    make(map[int]int),
		sessions:  make(map[*Session]struct{}),
		shortest:  cfg.Lease,
		inherited: last,
		token:     last,
		bound:     bound,
		order:     newOrder(cfg.Stages),
		budgets:   newBudgets(),
		restored:  make(map[uint64]Hold),
	}
}

func slot(role watchdog.Role) int {
	if role == watchdog.Worker {
		return 1
	}
	return 0
}

// entry returns the job's entry, made if there is none.
func (r *Registry) entry(job watchdog.JobID) *entry {
	e := r.jobs[job]
	if e == nil {
		e = &entry{job: job}
		r.jobs[job] = e
	}
	return e
}

// Tokens returns the last token given and the bound of those reserved.
func (r *Registry) Tokens() (last, bound uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.token, r.bound
}

// Extend raises the bound of the tokens that may be given; the block must have been reserved on disk.
func (r *Registry) Extend(bound uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bound = max(r.bound, bound)
}

// Count returns figures about the registry at an instant. Its cost does not grow with the ownerships.
func (r *Registry) Count(at time.Duration) watchdog.Owners {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wake(at)
	r.lapseBudgets(at)
	c := watchdog.Owners{Owned: r.owned, Oldest: r.order.oldest(), Sessions: map[watchdog.Proof]int{
		watchdog.ProofPidfd: 0, watchdog.ProofPID: 0, watchdog.ProofNone: 0,
	}}
	for s := range r.sessions {
		c.Sessions[s.peer.Proof]++
		switch {
		case !s.connected: // reconnecting, whatever its steps
		case at >= s.leaseUntil():
			c.Stalled += s.finalizers
		default:
			c.Stalled += s.late
		}
	}
	return c
}
