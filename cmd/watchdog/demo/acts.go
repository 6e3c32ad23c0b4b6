package demo

import (
	"context"
	"fmt"
)

// play plays the acts. It returns at the first thing that does not come out as told.
func (s *stage) play(ctx context.Context) error {
	for _, act := range []struct {
		name string
		play func(context.Context) error
	}{
		{"act 1", s.incident},
		{"act 2", s.guarded},
		{"act 3, killed", s.killed},
		{"act 3, stopped", s.stopped},
	} {
		if err := act.play(ctx); err != nil {
			return fmt.Errorf("%s: %w", act.name, err)
		}
	}
	return nil
}

// flip throws the kill switch and reads whether it took.
func (s *stage) flip(ctx context.Context, on bool) error {
	if err := s.watchdog.turn(ctx, on); err != nil {
		return err
	}
	enabled, err := s.watchdog.metric(ctx, "reaper_liveness_enabled")
	if err != nil {
		return err
	}
	if (enabled == 1) != on {
		return differs("reaper_liveness_enabled", enabled, on)
	}
	s.say("metrics", "reaper_liveness_enabled %v", enabled)
	return nil
}

// show prints a job as the database has it.
func (s *stage) show(ctx context.Context, id int64) error {
	j, err := s.ledger.job(ctx, id)
	if err == nil {
		s.say("database", "job %d: %s, attempt %d; task %s is at %s", j.id, j.status, j.attempt, j.task, j.stage)
	}
	return err
}

// begins waits until an orchestrator has claimed the job, after the given note.
func (s *stage) begins(ctx context.Context, job, after int64) (entry, error) {
	e, err := s.note(ctx, job, claimed, after)
	if err == nil {
		s.say("database", "%s claimed it and %s: run %d", e.who, e.detail, e.run)
	}
	return e, err
}

// retests waits until the finalizer tests its merge.
func (s *stage) retests(ctx context.Context, job, after int64) (entry, error) {
	e, err := s.note(ctx, job, retesting, after)
	if err != nil {
		return e, err
	}
	code, err := s.ledger.exitCode(ctx, e.run)
	if err == nil {
		s.say("database", "run %d: finished, exit_code %d; the finalizer of %s re-tests the merge", e.run, code, e.who)
	}
	return e, err
}

// merges waits until the finalizer has asked the watchdog and merges.
func (s *stage) merges(ctx context.Context, job, after int64) (entry, error) {
	answer, err := s.note(ctx, job, asked, after)
	if err != nil {
		return answer, err
	}
	e, err := s.note(ctx, job, merging, answer.id)
	if err == nil {
		s.say("database", "the re-test passed; %s checks its ownership: %s", answer.who, answer.detail)
		s.say("database", "%s merges", e.who)
	}
	return e, err
}

// deployed waits until the job was finalized after the given note, and requires that it was merged once.
func (s *stage) deployed(ctx context.Context, job, after int64) error {
	e, err := s.note(ctx, job, finalized, after)
	if err != nil {
		return err
	}
	j, err := s.ledger.job(ctx, job)
	if err != nil {
		return err
	}
	merges, err := s.ledger.times(ctx, job, merged, after)
	if err != nil {
		return err
	}
	head, err := s.tree.head()
	switch {
	case err != nil:
		return err
	case j.status != "done":
		return differs("the job's status", j.status, "done")
	case j.stage != lastStage:
		return differs("the task's stage", j.stage, lastStage)
	case head != j.task:
		return differs("the tree's head", head, j.task)
	case merges != 1:
		return differs("the number of merges", merges, 1)
	}
	s.good("database", "%s finalized it: job %d is %s, task %s is at %s", e.who, j.id, j.status, j.task, j.stage)
	s.good("tree", "the head is %s, merged once", head)
	return nil
}
