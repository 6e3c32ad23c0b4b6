package liveness

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// Deaths has an element when jobs whose owners died are waiting to be taken.
func (r *Registry) Deaths() <-chan struct{} { return r.deaths }

// TakeDead returns up to limit jobs of which an owner was proven dead, each once, and whether there are more:
// first those that the database was seen to hold, so that they do not wait for what a peer made up before it
// ended. A job that could not be judged is the caller's to remember.
func (r *Registry) TakeDead(limit int) (jobs []watchdog.JobID, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, from := range []*[]watchdog.JobID{&r.died, &r.strange} {
		n := min(limit-len(jobs), len(*from))
		jobs, *from = append(jobs, (*from)[:n]...), (*from)[n:]
		if len(*from) == 0 {
			*from = nil
		}
	}
	return jobs, len(r.died)+len(r.strange) > 0
}

// Recall puts every job with a dead owner among those to be taken again: for when a verdict may have
// become another without any row being due by age.
func (r *Registry) Recall() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.died, r.strange = nil, nil
	for _, o := range r.tokens {
		if o.session.dead {
			r.died = append(r.died, o.entry.job)
		}
	}
	if len(r.died) > 0 {
		r.wakeReaper()
	}
}

// Look returns the claim on each job at the instant, and takes in what the rows say of their stages: an
// ownership seen in a guarded stage stays guarded.
func (r *Registry) Look(at watchdog.Instant, jobs []watchdog.Job) []watchdog.Claim {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wake(at.Boot)
	claims := make([]watchdog.Claim, len(jobs))
	for i, job := range jobs {
		e := r.jobs[job.ID]
		if e == nil {
			claims[i].HoldUntil = r.heldAllUntil(at.Boot)
			continue
		}
		for _, o := range e.slots {
			if o != nil && job.Open() && job.Run == o.run {
				r.learn(o, at, job)
			}
		}
		claims[i] = r.claim(e, job.Run, at.Boot)
	}
	return claims
}

// claim is what is known of the job at the instant. Run is the run that counts: a clear of another one
// means nothing.
func (r *Registry) claim(e *entry, run watchdog.RunID, at time.Duration) watchdog.Claim {
	c := watchdog.Claim{Owner: e.slots[0].snapshot(at), Worker: e.slots[1].snapshot(at), Reaping: len(e.reaping) > 0}
	if until := max(e.heldUntil(), r.heldAll); at < until {
		c.HoldUntil = until
	}
	cleared := e.cleared
	if o := e.slots[slot(watchdog.Finalizer)]; o != nil && o.stateAt(at) == watchdog.Ended {
		cleared = r.letGo(o, o.session.leaseUntil()) // as the next sweep will
	}
	if cleared.run == run {
		c.ClearedAt = cleared.at
	}
	return c
}

func (r *Registry) heldAllUntil(at time.Duration) time.Duration {
	if at < r.heldAll {
		return r.heldAll
	}
	return 0
}

// snapshot is the ownership as the rest of the program sees it; nil when it has ended.
func (o *ownership) snapshot(at time.Duration) *watchdog.Owner {
	if o == nil {
		return nil
	}
	state := o.stateAt(at)
	if state == watchdog.Ended {
		return nil
	}
	s := o.session
	return &watchdog.Owner{Job: o.entry.job, Run: o.run, Token: o.token, Key: o.key, Role: o.role, Stage: o.stage,
		Guarded: o.guarded, Confirmed: o.confirmed, Name: s.name, PID: s.peer.PID, UID: s.peer.UID,
		Proof: s.peer.Proof, State: state, MarkedAt: o.markedAt, BeatAt: s.beatAt, LeaseUntil: s.leaseUntil(),
		DiedAt: s.diedAt, Step: o.step, StepUntil: o.stepUntil}
}

// Revoke takes the ownership of all the jobs away, or of none: if the claim on any of them is not the one
// that was judged, those jobs are returned and nothing was done. It is called while the rows are locked and
// updated, before the commit. Until Settle the outcome is not known.
func (r *Registry) Revoke(at time.Duration, judged []watchdog.Judged) (lost []watchdog.JobID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wake(at)
	for _, j := range judged {
		var now watchdog.Claim
		if e := r.jobs[j.Job.ID]; e != nil {
			now = r.claim(e, j.Job.Run, at)
		} else {
			now.HoldUntil = r.heldAllUntil(at)
		}
		if !j.Stands(now) {
			lost = append(lost, j.Job.ID)
		}
	}
	if len(lost) > 0 {
		return lost
	}
	for _, j := range judged {
		r.revoke(r.entry(j.Job.ID), at, j)
	}
	return nil
}

func (r *Registry) revoke(e *entry, at time.Duration, j watchdog.Judged) {
	e.reaping = []revocation{{run: j.Job.Run, reason: j.Verdict.Reason, tier: j.Verdict.Tier, at: at}}
	r.tidy(e, at) // what is being reaped is not to be forgotten for want of room
	for _, o := range e.slots {
		if o == nil {
			continue
		}
		e.reaping = append(e.reaping, revocation{run: o.run, token: o.token, uid: o.session.peer.UID,
			reason: j.Verdict.Reason, tier: j.Verdict.Tier, at: at})
		how := "revoked"
		if o.session.dead {
			how = "died"
		}
		r.tell(o, at, how, string(j.Verdict.Reason))
	}
}

// Settle ends the reaping of the jobs: from now on those runs answer with the reason for which they were
// reaped. The rows have been committed, or were found to be changed by another.
func (r *Registry) Settle(at time.Duration, jobs []watchdog.JobID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, job := range jobs {
		e := r.jobs[job]
		if e == nil || len(e.reaping) == 0 {
			continue
		}
		e.revoked = append(e.revoked, e.reaping...)
		e.reaping = nil
		r.tidy(e, at)
	}
}
