package demo

import "context"

// incidentJob is the job of the incident.
const incidentJob = 1914

// incident is the past: by age alone a live finalizer is taken for dead.
func (s *stage) incident(ctx context.Context) error {
	s.act("Act 1. The switch is off: the reaper goes by age, as it did when it happened.")
	if err := s.flip(ctx, false); err != nil {
		return err
	}
	reaps, err := s.watchdog.metric(ctx, "reaper_reaped_total", `reason="unfinalized"`)
	if err != nil {
		return err
	}
	if err := s.ledger.give(ctx, "ORCH-111", "the incident", heavyStage, incidentJob); err != nil {
		return err
	}
	if err := s.show(ctx, incidentJob); err != nil {
		return err
	}
	if _, err := s.begins(ctx, incidentJob, 0); err != nil {
		return err
	}
	if _, err := s.retests(ctx, incidentJob, 0); err != nil {
		return err
	}
	first, err := s.merges(ctx, incidentJob, 0)
	if err != nil {
		return err
	}
	if err := s.rerun(ctx, first, reaps); err != nil {
		return err
	}
	return s.clash(ctx, first)
}

// rerun waits until the reaper has taken the job from the finalizer that merges, and another has it.
func (s *stage) rerun(ctx context.Context, first entry, reaps float64) error {
	now, err := s.rises(ctx, reaps, "reaper_reaped_total", `tier="2"`, `reason="unfinalized"`)
	if err != nil {
		return err
	}
	done, err := s.ledger.times(ctx, incidentJob, merged, first.id)
	if err != nil {
		return err
	}
	if done != 0 {
		return differs("the number of merges that are done", done, 0)
	}
	s.bad("metrics", `reaper_reaped_total{tier="2",reason="unfinalized"} %v: the grace of %v is over, and %s still merges`,
		now, grace, first.who)
	second, err := s.begins(ctx, incidentJob, first.id)
	if err == nil && second.who == first.who {
		return differs("who re-runs it", second.who, "another")
	}
	return err
}

// clash waits until the second finalizer has failed on what the first has half done, and the first has done it.
func (s *stage) clash(ctx context.Context, first entry) error {
	failed, err := s.note(ctx, incidentJob, rejected, first.id)
	if err != nil {
		return err
	}
	s.bad("database", "%s: the re-test failed: %s", failed.who, failed.detail)
	if err := s.show(ctx, incidentJob); err != nil {
		return err
	}
	if _, err := s.note(ctx, incidentJob, merged, failed.id); err != nil {
		return err
	}
	head, err := s.tree.head()
	if err != nil {
		return err
	}
	s.bad("tree", "the head is %s: %s has merged it", head, first.who)
	if _, err := s.note(ctx, incidentJob, overtaken, failed.id); err != nil {
		return err
	}
	j, err := s.ledger.job(ctx, incidentJob)
	switch {
	case err != nil:
		return err
	case head != j.task:
		return differs("the tree's head", head, j.task)
	case j.stage != firstStage:
		return differs("the task's stage", j.stage, firstStage)
	case j.status != "failed":
		return differs("the job's status", j.status, "failed")
	}
	s.bad("database", "the incident: %s is merged, and rolled back to %s; job %d is %s", j.task, j.stage, j.id, j.status)
	return nil
}
