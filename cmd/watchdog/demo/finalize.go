package demo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/finalizer-watchdog/watchdog/client"
)

// The stages of a task. The edge from deploy-staging to deploy is the heavy one: it merges.
const (
	firstStage = "development"
	heavyStage = "deploy-staging"
	lastStage  = "deploy"
)

// next is the stage after the given one.
func next(stage string) string {
	return map[string]string{firstStage: "review", "review": heavyStage, heavyStage: lastStage}[stage]
}

// event is what an orchestrator writes down in notes.what.
type event string

const (
	claimed     event = "claimed"
	retesting   event = "retesting"
	asked       event = "asked" // the watchdog, by a check; the detail is its answer
	withheld    event = "withheld"
	rejected    event = "rejected" // the re-test failed, and the task went back; the detail says why
	merging     event = "merging"
	merged      event = "merged"
	finalized   event = "finalized"
	overtaken   event = "overtaken"   // finalized, but another had moved the task
	notAccepted event = "notaccepted" // the mark was refused
)

// finalize does what is left of the job when its agent has ended: what an orchestrator does in the thread of its
// monitor, for as long as it takes. It tells the watchdog that it lives, and asks before the one step that must be
// done alone.
func (o *orchestrator) finalize(ctx context.Context, w work) error {
	owned, err := o.watchdog.Mark(ctx, client.Job{ID: strconv.FormatInt(w.job, 10), Run: strconv.FormatInt(w.run, 10),
		Task: w.task, Stage: w.stage})
	if err != nil {
		return o.note(ctx, w, notAccepted, err.Error())
	}
	defer owned.Clear()
	if w.stage == heavyStage {
		return o.deploy(ctx, w, owned)
	}
	if err := pause(ctx, lightTakes); err != nil {
		return err
	}
	return o.close(ctx, w, next(w.stage))
}

// deploy finalizes on the heavy edge: re-test, merge, checks.
func (o *orchestrator) deploy(ctx context.Context, w work, owned *client.Ownership) error {
	owned.Step("merge-gate re-test", time.Minute)
	if err := o.note(ctx, w, retesting, ""); err != nil {
		return err
	}
	tested := o.tree.retest(ctx, retestTakes)
	if tested != nil && !errors.Is(tested, errBroken) {
		return tested
	}
	// Whatever the re-test found, to act on it is the owner's: a late finalizer must neither merge nor roll back.
	// Without an answer it goes on, as it did before there was a watchdog.
	answer := owned.Check(ctx)
	if err := o.note(ctx, w, asked, describe(answer)); err != nil {
		return err
	}
	if !answer.Proceed(client.UnlessRevoked) {
		return o.note(ctx, w, withheld, answer.Reason)
	}
	if tested != nil {
		return o.reject(ctx, w, tested)
	}
	owned.Step("merge", time.Minute)
	if err := o.merge(ctx, w); err != nil {
		return err
	}
	owned.Step("coverage and image freshness", time.Minute)
	if err := pause(ctx, checksTake); err != nil {
		return err
	}
	return o.close(ctx, w, next(w.stage))
}

func (o *orchestrator) merge(ctx context.Context, w work) error {
	if err := o.note(ctx, w, merging, ""); err != nil {
		return err
	}
	if err := o.tree.merge(ctx, w.task, mergeTakes); err != nil {
		return err
	}
	return o.note(ctx, w, merged, "")
}

// reject sends the task back to where it is developed.
func (o *orchestrator) reject(ctx context.Context, w work, why error) error {
	if _, err := o.ledger.settle(ctx, w, "failed", firstStage); err != nil {
		return err
	}
	return o.note(ctx, w, rejected, why.Error())
}

func (o *orchestrator) close(ctx context.Context, w work, stage string) error {
	moved, err := o.ledger.settle(ctx, w, "done", stage)
	if err != nil {
		return err
	}
	if !moved {
		return o.note(ctx, w, overtaken, "")
	}
	return o.note(ctx, w, finalized, "")
}

func (o *orchestrator) note(ctx context.Context, w work, what event, detail string) error {
	return o.ledger.note(ctx, w, o.name, what, detail)
}

func describe(a client.Answer) string {
	if a.State == client.OK {
		return fmt.Sprintf("ok, for %.1f s", a.Remaining().Seconds())
	}
	return fmt.Sprintf("%s (%s)", a.State, a.Reason)
}
