package watchdog

import "time"

// Action is what a verdict asks for.
type Action string

const (
	Wait  Action = "wait"  // nothing is due
	Defer Action = "defer" // by age alone it would be reaped, and something forbids it
	Reap  Action = "reap"
)

// Tier is the rule by which a job was judged. 0: by none, nothing was due.
type Tier int

const (
	Tier1 Tier = 1 // the run never finished and its worker is dead
	Tier2 Tier = 2 // the run finished and the job was not finalized
	Tier3 Tier = 3 // the backstop: older than the ceiling
)

// Reason says why a verdict is what it is.
type Reason string

// Reasons to reap.
const (
	ReasonBackstop    Reason = "backstop"    // Tier 3
	ReasonOwnerDied   Reason = "owner-died"  // Tier 2, proven
	ReasonUnfinalized Reason = "unfinalized" // Tier 2, by age
	ReasonWorkerDied  Reason = "worker-died" // Tier 1
)

// Reasons to defer, or to wait.
const (
	ReasonHeld         Reason = "held"         // a positive check's promise is running
	ReasonConnected    Reason = "connected"    // its owner lives
	ReasonReconnecting Reason = "reconnecting" // its owner's connection ended, its lease runs
	ReasonStalled      Reason = "stalled"      // its owner is silent or past its step's budget
	ReasonWarmingUp    Reason = "warming-up"   // the watchdog just started: owners are reconnecting
	ReasonClockJump    Reason = "clock-jump"   // the rows' clock moved otherwise than time did
	ReasonBraking      Reason = "braking"      // too many at once, without proof
	ReasonStandby      Reason = "standby"      // another watchdog has this database
	ReasonBackoff      Reason = "backoff"      // its owner died before, not long ago
	ReasonReaping      Reason = "reaping"      // a reap of it has no known outcome yet
)

// Reasons to wait.
const (
	ReasonRunning    Reason = "running"    // its run goes on
	ReasonFinalizing Reason = "finalizing" // finished, within the grace
	ReasonMalformed  Reason = "malformed"  // its facts contradict each other
	ReasonClosed     Reason = "closed"     // not running in the database
)

// DeferReasons lists every reason that a deferral can have, for whoever needs a fixed list.
func DeferReasons() []Reason {
	return []Reason{ReasonHeld, ReasonConnected, ReasonReconnecting, ReasonStalled, ReasonWarmingUp,
		ReasonClockJump, ReasonBraking, ReasonStandby, ReasonBackoff, ReasonReaping}
}

// ReapReasons lists every pair of tier and reason that a reap can have.
func ReapReasons() map[Reason]Tier {
	return map[Reason]Tier{ReasonBackstop: Tier3, ReasonOwnerDied: Tier2, ReasonUnfinalized: Tier2,
		ReasonWorkerDied: Tier1}
}

// Verdict is what the reaper decides of one job at one instant, and how long that will stand if nothing
// else happens. Its instants are on the clock of the rows; zero means never, as far as is known.
type Verdict struct {
	Action Action
	Tier   Tier
	Reason Reason
	Detail string // what is wrong with a malformed job; else empty

	ChangesAt time.Time // when action or reason next change, short of a reap
	ReapAt    time.Time // when it will be reaped
	DueSince  time.Time // of one that is to be reaped: since when it could have been
}

// Judged is a job with what is known of its ownership and the verdict that both led to.
type Judged struct {
	Job     Job
	Claim   Claim
	Verdict Verdict
	// Alone reports that the verdict is the same whoever owns the job: that of the backstop, and every one while the
	// kill switch is off. Only a hold stands against it.
	Alone bool
}

// Stands reports whether the verdict still rests on what it rested on, now that the claim is another: what came after
// the judgement wins.
func (j Judged) Stands(now Claim) bool {
	if j.Alone {
		return now.HoldUntil == j.Claim.HoldUntil && now.Reaping == j.Claim.Reaping
	}
	return now.Same(j.Claim)
}
