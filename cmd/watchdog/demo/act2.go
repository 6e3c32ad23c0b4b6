package demo

import (
	"context"
	"fmt"
)

// guarded is the same job with the switch on: a live finalizer is left alone.
func (s *stage) guarded(ctx context.Context) error {
	s.act("Act 2. The switch is on: the same job again, with the tree as it was.")
	if err := s.flip(ctx, true); err != nil {
		return err
	}
	if err := s.tree.plant("ORCH-110"); err != nil {
		return err
	}
	before, err := s.before(ctx)
	if err != nil {
		return err
	}
	if err := s.ledger.again(ctx, incidentJob, heavyStage); err != nil {
		return err
	}
	if err := s.show(ctx, incidentJob); err != nil {
		return err
	}
	if _, err := s.begins(ctx, incidentJob, before.note); err != nil {
		return err
	}
	if _, err := s.retests(ctx, incidentJob, before.note); err != nil {
		return err
	}
	if _, err := s.merges(ctx, incidentJob, before.note); err != nil {
		return err
	}
	if err := s.deferred(ctx, before.defers); err != nil {
		return err
	}
	if err := s.deployed(ctx, incidentJob, before.note); err != nil {
		return err
	}
	return s.leftAlone(ctx, before)
}

// past is what was read before an act.
type past struct {
	note          int64
	defers, reaps float64
	runs          int
}

func (s *stage) before(ctx context.Context) (p past, err error) {
	if p.note, err = s.ledger.newest(ctx); err != nil {
		return p, err
	}
	if p.defers, err = s.watchdog.metric(ctx, "finalizer_defers_total"); err != nil {
		return p, err
	}
	if p.reaps, err = s.watchdog.metric(ctx, "reaper_reaped_total"); err != nil {
		return p, err
	}
	j, err := s.ledger.job(ctx, incidentJob)
	p.runs = j.runs
	return p, err
}

// deferred waits until the reaper has deferred the job: at first because of the hold that the check promised,
// then because its owner lives.
func (s *stage) deferred(ctx context.Context, defers float64) error {
	j, err := s.owned(ctx, incidentJob, "/queue shows it deferred", func(j judged) bool { return j.Verdict.Action == "defer" })
	if err != nil {
		return err
	}
	if j.Owner == nil {
		return differs("its owner", nil, "shown")
	}
	s.good("/queue", "defer, tier %d, %s: finished %.1f s ago, its owner %s is %s at %q",
		j.Verdict.Tier, j.Verdict.Reason, j.FinishedAge, j.Owner.Name, j.Owner.State, j.Owner.Step)
	for _, reason := range []string{"held", "connected"} {
		now, err := s.rises(ctx, 0, "finalizer_defers_total", `reason="`+reason+`"`)
		if err != nil {
			return err
		}
		s.good("metrics", `finalizer_defers_total{reason=%q} %v`, reason, now)
	}
	now, err := s.rises(ctx, defers, "finalizer_defers_total")
	if err == nil {
		s.say("metrics", "finalizer_defers_total: %v before, %v now", defers, now)
	}
	return err
}

// leftAlone requires that nothing was reaped and the job was run once.
func (s *stage) leftAlone(ctx context.Context, before past) error {
	after, err := s.before(ctx)
	switch {
	case err != nil:
		return err
	case after.reaps != before.reaps:
		return differs("the number of reaps", after.reaps, before.reaps)
	case after.runs != before.runs+1:
		return fmt.Errorf("the job was run %d times, not once", after.runs-before.runs)
	}
	s.good("metrics", "reaper_reaped_total: still %v", after.reaps)
	return nil
}
