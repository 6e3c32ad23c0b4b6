package reaper

import (
	"cmp"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// Facts are all that a verdict rests on, besides the policy and the instant.
type Facts struct {
	Job     watchdog.Job
	Claim   watchdog.Claim
	Enabled bool // the kill switch: off, who owns what has no influence

	Pending   bool          // a reap of it has no known outcome yet
	GoneFrom  time.Duration // boot clock: from then on the process of the job's row is believed to be gone; 0: it is not
	NotBefore time.Duration // boot clock: a further death of its owner is not recovered before; 0: at once
	Doubt     Doubt
}

// rule is the verdict at one instant: the first rule of the design's table that holds. It says nothing
// about later instants.
func (p *Policy) rule(f *Facts, at watchdog.Instant) watchdog.Verdict {
	j := &f.Job
	if !j.Open() {
		return notOpen(j)
	}
	grace, ceiling := p.grace(j.Stage), p.ceiling(j.Stage)
	old := !j.Began().IsZero() && at.Rows.Sub(j.Began()) >= ceiling
	fault := malformed(*j, at.Rows, grace/2)
	finished := j.Finished() && fault == ""
	due := old || finished && p.lapsed(f, at)
	tier := tierOf(old, finished)
	doubt := f.Doubt.backstop(at.Boot)
	switch {
	case f.Pending:
		return stay(due, tier, watchdog.ReasonReaping)
	case at.Boot < f.Claim.HoldUntil:
		return stay(due, tier, watchdog.ReasonHeld)
	case old && doubt == "":
		return reap(watchdog.Tier3, watchdog.ReasonBackstop)
	case fault != "" && !old:
		return watchdog.Verdict{Action: watchdog.Wait, Reason: watchdog.ReasonMalformed, Detail: fault}
	case fault != "":
		return stay(true, watchdog.Tier3, doubt)
	}
	v := p.younger(f, at, due)
	if old && v.Action != watchdog.Reap {
		return stay(true, watchdog.Tier3, doubt) // only a proven death goes on under a doubt
	}
	return v
}

// backstop is the doubt that also turns the backstop into a deferral; empty: none.
func (d Doubt) backstop(boot time.Duration) watchdog.Reason {
	switch {
	case d.Standby:
		return watchdog.ReasonStandby
	case boot < d.JumpUntil:
		return watchdog.ReasonClockJump
	}
	return ""
}

// younger judges a job by the rules below the backstop.
func (p *Policy) younger(f *Facts, at watchdog.Instant, due bool) watchdog.Verdict {
	if f.Job.Finished() {
		return p.finished(f, at, due)
	}
	return p.unfinished(f, at)
}

// finished judges a job whose run has ended.
func (p *Policy) finished(f *Facts, at watchdog.Instant, due bool) watchdog.Verdict {
	switch state := p.owner(f, at); {
	case state == watchdog.Dead && at.Boot < f.NotBefore:
		return stay(due, watchdog.Tier2, watchdog.ReasonBackoff)
	case state == watchdog.Dead:
		return reap(watchdog.Tier2, watchdog.ReasonOwnerDied)
	case state == watchdog.Stalled && p.ReapStalled:
	case state != watchdog.Ended:
		return stay(due, watchdog.Tier2, watchdog.Reason(state))
	}
	switch {
	case !due:
		return stay(false, watchdog.Tier2, watchdog.ReasonFinalizing)
	case f.Doubt.Standby:
		return stay(true, watchdog.Tier2, watchdog.ReasonStandby)
	case at.Boot < f.Doubt.WarmUntil:
		return stay(true, watchdog.Tier2, watchdog.ReasonWarmingUp)
	case at.Boot < f.Doubt.JumpUntil:
		return stay(true, watchdog.Tier2, watchdog.ReasonClockJump)
	case f.Doubt.Braking:
		return stay(true, watchdog.Tier2, watchdog.ReasonBraking)
	}
	return reap(watchdog.Tier2, watchdog.ReasonUnfinalized)
}

// unfinished judges a job whose run goes on, as far as the database knows.
func (p *Policy) unfinished(f *Facts, at watchdog.Instant) watchdog.Verdict {
	if state := p.owner(f, at); state != watchdog.Ended && state != watchdog.Dead {
		// A finalizer that marked before it stamped the end of the run is alive: it is not to be reaped
		// because its worker has done its work and gone.
		return stay(false, 0, watchdog.ReasonRunning)
	}
	dead, gone := f.workerDied(at), f.GoneFrom != 0 && at.Boot >= f.GoneFrom
	switch {
	case dead || gone && !f.Doubt.Braking:
		return reap(watchdog.Tier1, watchdog.ReasonWorkerDied)
	case gone:
		return stay(false, watchdog.Tier1, watchdog.ReasonBraking)
	}
	return stay(false, 0, watchdog.ReasonRunning)
}

// workerDied reports whether the worker that marked this run is dead.
func (f *Facts) workerDied(at watchdog.Instant) bool {
	w := f.Claim.Worker
	return f.Enabled && w != nil && w.Run == f.Job.Run && w.StateAt(at.Boot) == watchdog.Dead
}

// owner is the state of the finalizer whose ownership counts for this job, stage and run; Ended when there
// is none.
func (p *Policy) owner(f *Facts, at watchdog.Instant) watchdog.State {
	o := f.Claim.Owner
	if !f.Enabled || o == nil || o.Run != f.Job.Run || !o.Guarded && !p.Guards(f.Job.Stage) {
		return watchdog.Ended
	}
	return o.StateAt(at.Boot)
}

// lapsed reports whether the grace is over. It counts from the end of the run, or from when somebody let go of the
// job: by a clear, or by having been silent for a lease.
func (p *Policy) lapsed(f *Facts, at watchdog.Instant) bool {
	return !at.Rows.Before(p.graceEnd(f, at))
}

func (p *Policy) graceEnd(f *Facts, at watchdog.Instant) time.Time {
	from := f.Job.FinishedAt
	if letGo := f.letGo(at.Boot); f.Enabled && letGo != 0 && at.At(letGo).After(from) {
		from = at.At(letGo)
	}
	return from.Add(p.grace(f.Job.Stage))
}

// letGo is when an owner of this run last let go of the job; 0: none has.
func (f *Facts) letGo(boot time.Duration) time.Duration {
	o := f.Claim.Owner
	if o != nil && o.Run == f.Job.Run && o.State == watchdog.Reconnecting && boot >= o.LeaseUntil {
		return max(f.Claim.ClearedAt, o.LeaseUntil)
	}
	return f.Claim.ClearedAt
}

func notOpen(j *watchdog.Job) watchdog.Verdict {
	switch j.Status {
	case watchdog.StatusQueued, watchdog.StatusDone, watchdog.StatusFailed:
		return watchdog.Verdict{Action: watchdog.Wait, Reason: watchdog.ReasonClosed}
	}
	return watchdog.Verdict{Action: watchdog.Wait, Reason: watchdog.ReasonMalformed,
		Detail: cmp.Or(j.Unreadable, "its status is unknown: "+j.Status)}
}

func tierOf(old, finished bool) watchdog.Tier {
	switch {
	case old:
		return watchdog.Tier3
	case finished:
		return watchdog.Tier2
	}
	return 0
}

// stay is a verdict that leaves the job alone: a deferral if it is due.
func stay(due bool, tier watchdog.Tier, reason watchdog.Reason) watchdog.Verdict {
	if due {
		return watchdog.Verdict{Action: watchdog.Defer, Tier: tier, Reason: reason}
	}
	return watchdog.Verdict{Action: watchdog.Wait, Tier: tier, Reason: reason}
}

func reap(tier watchdog.Tier, reason watchdog.Reason) watchdog.Verdict {
	return watchdog.Verdict{Action: watchdog.Reap, Tier: tier, Reason: reason}
}
