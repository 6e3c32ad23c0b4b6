package reaper_test

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// The instant at which the tests of the verdict judge, and the spans of the policy that they judge by.
const (
	boot    = 100 * time.Hour
	grace   = 2 * time.Minute
	ceiling = 2 * time.Hour
)

func instant() watchdog.Instant {
	return watchdog.Instant{Rows: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Boot: boot}
}

func policy() reaper.Policy {
	return reaper.Policy{GuardedStages: []string{"deploy-staging"}, Grace: grace, Ceiling: ceiling, MaxAttempts: 3,
		BrakeRatio: 0.5, BrakeMin: 10}
}

// given is one thing that is so in a case.
type given func(*reaper.Facts, *reaper.Policy)

// facts are those of a job of run 1 that began half an hour ago in deploy-staging and goes on, with what is
// given changed.
func facts(all ...given) (*reaper.Facts, *reaper.Policy) {
	began := instant().Rows.Add(-30 * time.Minute)
	f := &reaper.Facts{Enabled: true, Job: watchdog.Job{ID: "1914", Run: "1", Stage: "deploy-staging",
		Status: watchdog.StatusRunning, Attempt: 1, Version: "v1",
		CreatedAt: began.Add(-time.Minute), StartedAt: began.Add(-time.Second), RunStartedAt: began}}
	p := policy()
	for _, g := range all {
		g(f, &p)
	}
	return f, &p
}

func began(ago time.Duration) given {
	return func(f *reaper.Facts, _ *reaper.Policy) {
		at := instant().Rows.Add(-ago)
		f.Job.CreatedAt, f.Job.StartedAt, f.Job.RunStartedAt = at, at, at
	}
}

func finished(ago time.Duration) given {
	return job(func(j *watchdog.Job) { j.FinishedAt = instant().Rows.Add(-ago) })
}

func job(change func(*watchdog.Job)) given {
	return func(f *reaper.Facts, _ *reaper.Policy) { change(&f.Job) }
}

func stage(name string) given { return job(func(j *watchdog.Job) { j.Stage = name }) }

func owned(state watchdog.State) given { return ownedBy(state, "1") }

func ownedBy(state watchdog.State, run watchdog.RunID) given {
	return func(f *reaper.Facts, _ *reaper.Policy) {
		f.Claim.Owner = &watchdog.Owner{Job: f.Job.ID, Run: run, Token: 7, Role: watchdog.Finalizer, State: state,
			LeaseUntil: boot + 15*time.Second, DiedAt: boot}
	}
}

func worker(state watchdog.State) given {
	return func(f *reaper.Facts, _ *reaper.Policy) {
		f.Claim.Worker = &watchdog.Owner{Job: f.Job.ID, Run: "1", Token: 8, Role: watchdog.Worker, State: state,
			LeaseUntil: boot + 15*time.Second}
	}
}

func latched(f *reaper.Facts, _ *reaper.Policy) { f.Claim.Owner.Guarded = true }

func step(budget time.Duration) given {
	return func(f *reaper.Facts, _ *reaper.Policy) { f.Claim.Owner.StepUntil = boot + budget }
}

func held(until time.Duration) given {
	return func(f *reaper.Facts, _ *reaper.Policy) { f.Claim.HoldUntil = boot + until }
}

func cleared(ago time.Duration) given {
	return func(f *reaper.Facts, _ *reaper.Policy) { f.Claim.ClearedAt = boot - ago }
}

func gone(from time.Duration) given {
	return func(f *reaper.Facts, _ *reaper.Policy) { f.GoneFrom = boot + from }
}

func backoff(until time.Duration) given {
	return func(f *reaper.Facts, _ *reaper.Policy) { f.NotBefore = boot + until }
}

func off(f *reaper.Facts, _ *reaper.Policy)         { f.Enabled = false }
func pending(f *reaper.Facts, _ *reaper.Policy)     { f.Pending = true }
func standby(f *reaper.Facts, _ *reaper.Policy)     { f.Doubt.Standby = true }
func braking(f *reaper.Facts, _ *reaper.Policy)     { f.Doubt.Braking = true }
func reapStalled(_ *reaper.Facts, p *reaper.Policy) { p.ReapStalled = true }
func guardAll(_ *reaper.Facts, p *reaper.Policy)    { p.GuardedStages = []string{"*"} }

func warming(until time.Duration) given {
	return func(f *reaper.Facts, _ *reaper.Policy) { f.Doubt.WarmUntil = boot + until }
}

func jumped(until time.Duration) given {
	return func(f *reaper.Facts, _ *reaper.Policy) { f.Doubt.JumpUntil = boot + until }
}

func stageSpans(name string, grace, ceiling time.Duration) given {
	return func(_ *reaper.Facts, p *reaper.Policy) {
		p.StageGrace = map[string]time.Duration{name: grace}
		p.StageCeiling = map[string]time.Duration{name: ceiling}
	}
}
