package reaper

import (
	"context"
	"maps"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// record takes the outcome of a pass into the status.
func (r *Reaper) record(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.LastPassAt = time.Now()
	r.status.DatabaseUp = err == nil
	if err != nil {
		r.status.LastPassError = err.Error()
		return
	}
	r.status.LastPassError = ""
	r.status.LastSuccessAt = r.status.LastPassAt
}

// Status returns a snapshot.
func (r *Reaper) Status() watchdog.Status {
	boot := r.Boot()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	s.LivenessEnabled = r.Liveness.Load()
	s.DryRun = r.DryRun
	s.Braking = r.doubts.now.Braking
	s.Standby = r.doubts.now.Standby
	s.WarmingUp = boot < r.doubts.now.WarmUntil
	s.ClockJump = boot < r.doubts.now.JumpUntil
	s.Counts = maps.Clone(s.Counts)
	s.ReapedTotal = maps.Clone(s.ReapedTotal)
	return s
}

// Switch turns the finalizer liveness on or off, until the restart.
func (r *Reaper) Switch(on bool, by string) {
	r.Liveness.Store(on)
	r.Audit.Warn("finalizer liveness switched", "on", on, "by", by)
	r.soon()
}

// ReleaseBrake lets jobs be reaped without proof again although there are many, until there are few.
func (r *Reaper) ReleaseBrake(by string) {
	r.mu.Lock()
	r.doubts.released = true
	r.doubts.now.Braking = false
	r.mu.Unlock()
	r.Audit.Warn("brake released", "by", by)
	r.soon()
}

// soon has a pass made at once.
func (r *Reaper) soon() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// Jobs reads jobs, open or not, and the instant before the read.
func (r *Reaper) Jobs(ctx context.Context, ids []watchdog.JobID) ([]watchdog.Job, watchdog.Instant, error) {
	at, err := r.now(ctx)
	if err != nil {
		return nil, at, err
	}
	jobs, err := r.Store.Jobs(ctx, at.Rows, ids)
	return jobs, at, err
}

// Page judges up to limit open jobs whose ids sort after the given one.
func (r *Reaper) Page(ctx context.Context, after watchdog.JobID, limit int) (watchdog.Queue, error) {
	at, err := r.now(ctx)
	if err != nil {
		return watchdog.Queue{}, err
	}
	jobs, err := r.Store.OpenJobs(ctx, at.Rows, after, limit)
	if err != nil {
		return watchdog.Queue{}, err
	}
	q, err := r.queue(ctx, at, jobs)
	if len(jobs) == limit {
		q.Next = jobs[len(jobs)-1].ID
	}
	return q, err
}

// Job judges one job, open or not; watchdog.ErrNoJob when there is none.
func (r *Reaper) Job(ctx context.Context, id watchdog.JobID) (watchdog.Queue, error) {
	jobs, at, err := r.Jobs(ctx, []watchdog.JobID{id})
	if err != nil {
		return watchdog.Queue{}, err
	}
	if len(jobs) == 0 {
		return watchdog.Queue{}, watchdog.ErrNoJob
	}
	return r.queue(ctx, at, jobs)
}

func (r *Reaper) queue(ctx context.Context, at watchdog.Instant, jobs []watchdog.Job) (watchdog.Queue, error) {
	counts, err := r.Store.Counts(ctx)
	if err != nil {
		return watchdog.Queue{}, err
	}
	return watchdog.Queue{Now: at, Counts: counts, Status: r.Status(), Jobs: r.judge(at, r.Liveness.Load(), jobs)}, nil
}
