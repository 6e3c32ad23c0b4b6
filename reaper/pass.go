package reaper

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

const (
	readBatch = 500
	dueBatch  = 5000 // each reading of due jobs sorts all that are due and come after the one before
	applyMost = 1000 // jobs reaped in one pass; if more are to be, the next begins at once
	slowest   = 30 * time.Second
)

// tally is what one pass found.
type tally struct {
	at        watchdog.Instant
	enabled   bool // the kill switch, at that instant
	braking   bool // what the verdicts were made under
	reap      []watchdog.Judged
	more      bool // there were more to reap than applyMost
	unproven  int  // would be reaped without proof if nothing braked, those beyond applyMost included
	malformed int
	deferred  map[watchdog.JobID]watchdog.Reason
	begun     []watchdog.Judged // those of them whose deferral begins
	gone      map[watchdog.JobID]sighting
	between   func(context.Context) // called between two transactions; may be nil
}

// pass judges all jobs that are due by age, recovers those that are to be, and returns when the next should
// begin.
func (r *Reaper) pass(ctx context.Context) time.Duration {
	began := r.Boot()
	t, err := r.survey(ctx)
	if err == nil {
		r.note(t)
		t.between = r.attend
		err = r.apply(ctx, t)
	}
	if ctx.Err() != nil {
		return r.Interval
	}
	r.Observer.PassDone(r.Boot()-began, err == nil)
	r.record(err)
	if err != nil {
		r.slow++
		r.Log.Error("a pass of the reaper did not succeed; nothing is lost, it will be made again", "error", err)
		wait := min(r.Interval<<min(r.slow, 10), max(slowest, r.Interval))
		return wait/2 + rand.N(wait/2)
	}
	r.slow = 0
	if t.more {
		return 0
	}
	return r.Interval
}

// survey reads and judges; it changes nothing in the database. When what was read shows that the brake has to
// be pulled, or can be let go, it reads again and judges under that: the verdicts then say so, and those that
// the brake is not for are all among the reaps.
func (r *Reaper) survey(ctx context.Context) (*tally, error) {
	at, err := r.passNow(ctx)
	if err != nil {
		r.Observer.Failed("clock")
		return nil, err
	}
	r.forget(at.Boot)
	r.doubt(ctx, at)
	t, err := r.read(ctx, at)
	if err != nil {
		return nil, err
	}
	open, err := r.count(ctx, t)
	if err != nil {
		r.Observer.Failed("counts")
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	r.mu.Lock()
	braking := r.doubts.brake(t.unproven, open, r.pendingUnproven())
	r.mu.Unlock()
	if braking != t.braking {
		return r.read(ctx, at)
	}
	return t, nil
}

// read judges what may have to be reaped at the instant.
func (r *Reaper) read(ctx context.Context, at watchdog.Instant) (*tally, error) {
	r.mu.Lock()
	t := &tally{at: at, enabled: r.Liveness.Load(), braking: r.doubts.now.Braking, deferred: make(map[watchdog.JobID]watchdog.Reason),
		gone: make(map[watchdog.JobID]sighting)}
	r.mu.Unlock()
	if err := r.due(ctx, t); err != nil {
		r.Observer.Failed("read")
		return nil, fmt.Errorf("read due jobs: %w", err)
	}
	if r.PIDGone == nil {
		return t, nil
	}
	if err := r.pids(ctx, t); err != nil {
		r.Observer.Failed("read")
		return nil, fmt.Errorf("read open jobs: %w", err)
	}
	return t, nil
}

// due judges the jobs that age alone would reap, batch by batch: of what it reads a pass keeps the reaps, up to a
// bound, and the reasons of the deferrals.
func (r *Reaper) due(ctx context.Context, t *tally) error {
	grace, ceiling := r.Policy.least()
	return r.readAll(ctx, dueBatch, func(after watchdog.JobID) ([]watchdog.Job, error) {
		return r.Store.Due(ctx, t.at.Rows, grace, ceiling, after, dueBatch)
	}, func(jobs []watchdog.Job) {
		for _, j := range r.judge(t.at, t.enabled, jobs) {
			r.sort(t, j)
		}
	})
}

// readAll reads page after page, and deals with each.
func (r *Reaper) readAll(ctx context.Context, limit int, read func(after watchdog.JobID) ([]watchdog.Job, error), deal func([]watchdog.Job)) error {
	var after watchdog.JobID
	for {
		var jobs []watchdog.Job
		var err error
		r.meanwhile(ctx, func() { jobs, err = read(after) })
		if err != nil {
			return err
		}
		deal(jobs)
		if len(jobs) < limit {
			return nil
		}
		last := jobs[len(jobs)-1].ID
		if last == after {
			return fmt.Errorf("the statement gives the same jobs again after job %s: it does not honour :after", after)
		}
		after = last
	}
}

// sort adds a judged job to the tally.
func (r *Reaper) sort(t *tally, j watchdog.Judged) {
	switch v := j.Verdict; {
	case v.Reason == watchdog.ReasonBraking, unproven(j):
		t.unproven++
	case v.Reason == watchdog.ReasonMalformed:
		t.malformed++
	}
	switch j.Verdict.Action {
	case watchdog.Defer:
		t.deferred[j.Job.ID] = j.Verdict.Reason
		if r.deferred[j.Job.ID] != j.Verdict.Reason {
			t.begun = append(t.begun, j)
		}
	case watchdog.Reap:
		if len(t.reap) == applyMost && !r.DryRun {
			t.more = true
			return
		}
		t.reap = append(t.reap, j)
	}
}

// unproven reports whether the job would be reaped without the kernel's word that somebody is dead, and not for its
// age alone either: what the brake counts.
func unproven(j watchdog.Judged) bool {
	return j.Verdict.Reason == watchdog.ReasonUnfinalized || j.Verdict.Reason == watchdog.ReasonWorkerDied && !dies(j)
}

// judge returns the verdict on each job.
func (r *Reaper) judge(at watchdog.Instant, enabled bool, jobs []watchdog.Job) []watchdog.Judged {
	judged := make([]watchdog.Judged, len(jobs))
	for i, claim := range r.Owners.Look(at, jobs) {
		v := r.Policy.Decide(r.facts(jobs[i], claim, enabled), at)
		judged[i] = watchdog.Judged{Job: jobs[i], Claim: claim, Verdict: v, Alone: !enabled || v.Tier == watchdog.Tier3}
	}
	return judged
}

// note takes what a pass found into the figures, before anything is done about it.
func (r *Reaper) note(t *tally) {
	for _, reason := range t.deferred {
		r.Observer.Deferred(reason)
	}
	for _, j := range t.begun {
		r.audit("deferred", j, t.at)
	}
	r.deferred = t.deferred
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = t.gone
	r.status.DefersTotal += int64(len(t.deferred))
	r.status.Malformed = t.malformed
}

// forget drops what has not mattered for a ceiling.
func (r *Reaper) forget(boot time.Duration) {
	for id, w := range r.would {
		if boot > w.last+r.Policy.Ceiling {
			delete(r.would, id)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range r.crashes {
		if boot > c.last+r.Policy.Ceiling {
			delete(r.crashes, id)
		}
	}
}
