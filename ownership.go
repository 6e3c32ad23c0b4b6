package watchdog

import "time"

// Role is what an owner does for its job.
type Role string

const (
	Finalizer Role = "finalizer" // finalizes the job after its run finished; the default
	Worker    Role = "worker"    // runs the agent
)

// State is what is known of an owner.
type State string

const (
	Connected    State = "connected"
	Reconnecting State = "reconnecting" // its connection ended, its process may live, its lease runs
	Stalled      State = "stalled"      // connected, but its lease lapsed or its step is past the budget
	Dead         State = "dead"         // the kernel reported the exit of its process
	Ended        State = "ended"        // cleared, lost, closed or revoked: as if it had never been
)

// Proof is the means by which the death of a session's process would be proven.
type Proof string

const (
	ProofPidfd Proof = "pidfd" // SO_PEERPIDFD: the process that connected, in whatever pid namespace
	ProofPID   Proof = "pid"   // pidfd_open of the peer's pid, where the pid namespace is shared
	ProofNone  Proof = "none"  // its death cannot be told from silence
)

// Owner is one ownership at one instant, as the registry knows it. Instants are on the boot clock.
type Owner struct {
	Job   JobID
	Run   RunID
	Token uint64 // the fencing token: greater than every token given before it
	Key   string
	Role  Role
	Stage string // what the client said; the job's row has the word
	// Guarded is latched once the job's row was seen in a guarded stage under this ownership. Whoever resumed it
	// after a restart is believed about the stage at which it began.
	Guarded bool
	// Confirmed reports that the database was seen to hold the job open under this run.
	Confirmed bool

	Name  string // of the session
	PID   int    // as the kernel tells it here; 0 in another pid namespace
	UID   int
	Proof Proof

	State      State
	MarkedAt   time.Duration
	BeatAt     time.Duration // the last valid request of its session
	LeaseUntil time.Duration
	DiedAt     time.Duration // when the kernel told; only of a dead one
	Step       string
	StepUntil  time.Duration // the end of its step's budget; 0: none
}

// StateAt is the owner's state at a later instant of the boot clock if nothing else happens: a connected
// owner goes on beating, a reconnecting one stays away, a step goes on.
func (o Owner) StateAt(boot time.Duration) State {
	switch {
	case o.State == Reconnecting && boot >= o.LeaseUntil:
		return Ended
	case o.State == Connected && o.StepUntil != 0 && boot >= o.StepUntil:
		return Stalled
	}
	return o.State
}

// Claim is all that the registry holds about one job at one instant. The zero Claim is that of a job that
// nobody has marked.
type Claim struct {
	Owner  *Owner // the finalizer, if any
	Worker *Owner // the worker, if any
	// HoldUntil is the end of the promise that the last positive check made; 0: none was made. It
	// outlives its holder.
	HoldUntil time.Duration
	// ClearedAt is when an owner of this run last let go of the job: it said that it was done, or its lease lapsed
	// while its connection was gone; 0: never.
	ClearedAt time.Duration
	// Reaping reports that the job's ownership was revoked by a reap whose outcome is not known yet.
	Reaping bool
}

// Same reports whether a verdict that rests on c would rest on d too: the same owners in the same states,
// the same hold, the same clear. A beat that brought a stalled owner back makes a difference, one that
// found it connected makes none: else an owner that talks without a pause would keep the backstop away.
func (c Claim) Same(d Claim) bool {
	return c.HoldUntil == d.HoldUntil && c.ClearedAt == d.ClearedAt && c.Reaping == d.Reaping &&
		sameOwner(c.Owner, d.Owner) && sameOwner(c.Worker, d.Worker)
}

func sameOwner(a, b *Owner) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Token == b.Token && a.State == b.State
}

// Owners counts what the registry holds at one instant.
type Owners struct {
	Owned    int           // finalizers' ownerships, dead ones included until they are recovered
	Stalled  int           // those of them that are stalled
	Sessions map[Proof]int // sessions by the proof that their death would have
	// Oldest is the oldest mark among the owned of each stage, on the boot clock. Stages from outside the fixed
	// list share the entry ""; a stage of which none is owned has none.
	Oldest map[string]time.Duration
}
