package reaper_test

import (
	"time"

	"pgregory.net/rapid"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// span draws a multiple of ten seconds, so that instants of different origin often fall together.
func span(t *rapid.T, name string, from, to time.Duration) time.Duration {
	const unit = 10 * time.Second
	return time.Duration(rapid.Int64Range(int64(from/unit), int64(to/unit)).Draw(t, name)) * unit
}

func sometimes[T any](t *rapid.T, name string, draw func() T) (value T) {
	if rapid.Bool().Draw(t, name+"?") {
		value = draw()
	}
	return value
}

func randomPolicy(t *rapid.T) *reaper.Policy {
	p := policy()
	p.ReapStalled = rapid.Bool().Draw(t, "reap stalled")
	p.GuardedStages = rapid.SampledFrom([][]string{{"deploy-staging"}, {"*"}, nil, {"review", "deploy-staging"}}).Draw(t, "guarded")
	p.StageGrace = sometimes(t, "stage grace", func() map[string]time.Duration {
		return map[string]time.Duration{"review": span(t, "review's grace", time.Minute, 20*time.Minute)}
	})
	p.StageCeiling = sometimes(t, "stage ceiling", func() map[string]time.Duration {
		return map[string]time.Duration{"review": span(t, "review's ceiling", 30*time.Minute, 3*time.Hour)}
	})
	return &p
}

func randomFacts(t *rapid.T) *reaper.Facts {
	moment := func(name string) time.Time {
		return sometimes(t, name, func() time.Time {
			return instant().Rows.Add(span(t, name, -3*time.Hour, 20*time.Minute))
		})
	}
	at := func(name string) time.Duration {
		return sometimes(t, name, func() time.Duration { return boot + span(t, name, -10*time.Minute, 10*time.Minute) })
	}
	j := watchdog.Job{ID: "1", Version: "v", CreatedAt: moment("created"), StartedAt: moment("started"),
		RunStartedAt: moment("run started"), FinishedAt: moment("finished"),
		Run:    rapid.SampledFrom([]watchdog.RunID{"", "1", "2"}).Draw(t, "run"),
		Stage:  rapid.SampledFrom([]string{"", "deploy-staging", "review"}).Draw(t, "stage"),
		Status: rapid.SampledFrom([]string{"running", "running", "running", "running", "queued", "done", "odd"}).Draw(t, "status"),
	}
	if rapid.Bool().Draw(t, "sane") {
		sane(&j)
	}
	if rapid.IntRange(0, 9).Draw(t, "unreadable") == 0 {
		j.Unreadable = "exit_code: x"
	}
	return &reaper.Facts{Job: j, Enabled: rapid.Bool().Draw(t, "enabled"),
		Claim: watchdog.Claim{Owner: randomOwner(t, "owner", watchdog.Finalizer), Worker: randomOwner(t, "worker", watchdog.Worker),
			HoldUntil: at("hold"), ClearedAt: sometimes(t, "cleared", func() time.Duration {
				return boot - span(t, "cleared", 0, 10*time.Minute)
			}), Reaping: rapid.Bool().Draw(t, "reaping")},
		Pending: rapid.IntRange(0, 9).Draw(t, "pending") == 0, GoneFrom: at("gone"), NotBefore: at("not before"),
		Doubt: reaper.Doubt{Standby: rapid.IntRange(0, 4).Draw(t, "standby") == 0, Braking: rapid.Bool().Draw(t, "braking"),
			WarmUntil: at("warm"), JumpUntil: at("jump")}}
}

// sane puts a job's instants in the order in which they happen.
func sane(j *watchdog.Job) {
	began := instant().Rows.Add(-150 * time.Minute)
	if !j.StartedAt.IsZero() {
		began = j.StartedAt
	}
	if began.After(instant().Rows) {
		began = instant().Rows
	}
	j.Run, j.StartedAt, j.RunStartedAt = "1", began, began
	if j.FinishedAt.Before(began) || j.FinishedAt.After(instant().Rows) {
		j.FinishedAt = time.Time{}
	}
}

// randomOwner draws an owner as a registry would tell it: in a state that its own instants allow.
func randomOwner(t *rapid.T, name string, role watchdog.Role) *watchdog.Owner {
	return sometimes(t, name, func() *watchdog.Owner {
		o := &watchdog.Owner{Job: "1", Token: 7, Role: role, Guarded: rapid.Bool().Draw(t, name+" guarded"),
			Run: rapid.SampledFrom([]watchdog.RunID{"1", "1", "2"}).Draw(t, name+" run"),
			State: rapid.SampledFrom([]watchdog.State{watchdog.Connected, watchdog.Reconnecting, watchdog.Stalled,
				watchdog.Dead}).Draw(t, name+" state"),
			LeaseUntil: boot + span(t, name+" lease", 10*time.Second, time.Minute)}
		o.StepUntil = sometimes(t, name+" step", func() time.Duration {
			return boot + span(t, name+" step", 10*time.Second, 10*time.Minute)
		})
		return o
	})
}
