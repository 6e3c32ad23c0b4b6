package demo

import (
	"context"
	"syscall"
	"time"
)

// The jobs of act 3.
const (
	killedJob  = 1915
	stoppedJob = 1916
)

// killed is a finalizer that dies: the kernel says so, and the job is recovered without the grace. That it was for this
// reason is counted: how soon it was is the machine's matter too.
func (s *stage) killed(ctx context.Context) error {
	s.act("Act 3. A finalizer is killed.")
	victim, at, err := s.victim(ctx, killedJob, "ORCH-112")
	if err != nil {
		return err
	}
	recovered, err := s.watchdog.metric(ctx, "reaper_recovery_seconds_sum", `tier="2"`)
	if err != nil {
		return err
	}
	reaps, err := s.watchdog.metric(ctx, "reaper_reaped_total", `reason="owner-died"`)
	if err != nil {
		return err
	}
	took, err := s.shoot(ctx, victim)
	if err != nil {
		return err
	}
	s.good("database", "job %d is recovered: committed %.1f ms after the SIGKILL", killedJob, milliseconds(took))
	now, err := s.rises(ctx, reaps, "reaper_reaped_total", `tier="2"`, `reason="owner-died"`)
	if err != nil {
		return err
	}
	s.good("metrics", `reaper_reaped_total{tier="2",reason="owner-died"} %v`, now)
	sum, err := s.watchdog.metric(ctx, "reaper_recovery_seconds_sum", `tier="2"`)
	if err != nil {
		return err
	}
	s.say("metrics", "reaper_recovery_seconds: %.1f ms from when the kernel told", 1000*(sum-recovered))
	if err := s.replace(victim); err != nil {
		return err
	}
	if _, err := s.begins(ctx, killedJob, at.id); err != nil {
		return err
	}
	return s.deployed(ctx, killedJob, at.id)
}

// victim gives a job to the orchestrators and returns the one that finalizes it, as /queue names it, while it
// tests its merge.
func (s *stage) victim(ctx context.Context, job int64, task string) (*child, entry, error) {
	if err := s.ledger.give(ctx, task, "act 3", heavyStage, job); err != nil {
		return nil, entry{}, err
	}
	if err := s.show(ctx, job); err != nil {
		return nil, entry{}, err
	}
	if _, err := s.begins(ctx, job, 0); err != nil {
		return nil, entry{}, err
	}
	at, err := s.retests(ctx, job, 0)
	if err != nil {
		return nil, at, err
	}
	j, err := s.owned(ctx, job, "/queue shows its owner", func(j judged) bool { return j.Owner != nil })
	if err != nil {
		return nil, at, err
	}
	s.say("/queue", "owner %s, pid %d, %s, proof of death: %s", j.Owner.Name, j.Owner.PID, j.Owner.State, j.Owner.Proof)
	victim, err := s.process(j.Owner.PID)
	return victim, at, err
}

// shoot kills the process and returns after how long the row of its job was seen changed.
func (s *stage) shoot(ctx context.Context, victim *child) (time.Duration, error) {
	before, err := s.ledger.job(ctx, killedJob)
	if err != nil {
		return 0, err
	}
	at := time.Now()
	if err := victim.kill(); err != nil {
		return 0, err
	}
	for ctx.Err() == nil {
		now, err := s.ledger.job(ctx, killedJob)
		took := time.Since(at)
		switch {
		case err != nil:
			return 0, err
		case now.status != before.status || now.attempt != before.attempt:
			s.say("kill(2)", "SIGKILL to %s, pid %d", victim.name, victim.pid())
			return took, nil
		case took > patience:
			return 0, differs("the time to the recovery", "more than "+patience.String(), "short")
		}
	}
	return 0, context.Cause(ctx)
}

// stopped is a finalizer that hangs: it is not dead, and the backstop ends it. When it goes on, the fence holds.
func (s *stage) stopped(ctx context.Context) error {
	s.act("Act 3, continued. A finalizer is stopped, and goes on when its job is another's.")
	victim, at, err := s.victim(ctx, stoppedJob, "ORCH-113")
	if err != nil {
		return err
	}
	if err := victim.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	s.say("kill(2)", "SIGSTOP to %s, pid %d", victim.name, victim.pid())
	j, err := s.owned(ctx, stoppedJob, "/queue shows it deferred as stalled", func(j judged) bool {
		return j.Verdict.Action == "defer" && j.Verdict.Reason == "stalled"
	})
	if err != nil {
		return err
	}
	s.say("/queue", "defer, tier %d, %s: silent, but not dead", j.Verdict.Tier, j.Verdict.Reason)
	now, err := s.rises(ctx, 0, "reaper_reaped_total", `tier="3"`, `reason="backstop"`)
	if err != nil {
		return err
	}
	s.good("metrics", `reaper_reaped_total{tier="3",reason="backstop"} %v: the job reached the ceiling of %v`, now, ceiling)
	if _, err := s.begins(ctx, stoppedJob, at.id); err != nil {
		return err
	}
	if err := victim.signal(syscall.SIGCONT); err != nil {
		return err
	}
	s.say("kill(2)", "SIGCONT to %s", victim.name)
	return s.fenced(ctx, victim, at)
}

// fenced waits until the finalizer that went on has asked, and does not merge.
func (s *stage) fenced(ctx context.Context, victim *child, at entry) error {
	e, err := s.note(ctx, stoppedJob, withheld, at.id)
	if err != nil {
		return err
	}
	if e.who != victim.name || e.run != at.run || e.detail != "backstop" {
		return differs("who withheld the merge", []any{e.who, e.run, e.detail}, []any{victim.name, at.run, "backstop"})
	}
	s.good("database", "%s checks its ownership: revoked (%s); it does not merge", e.who, e.detail)
	return s.deployed(ctx, stoppedJob, at.id)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
