package reaper

import (
	"github.com/finalizer-watchdog/watchdog"
)

// audit writes the one line that tells what was done to a job, and why.
func (r *Reaper) audit(what string, j watchdog.Judged, at watchdog.Instant, more ...any) {
	v := j.Verdict
	line := []any{"job", j.Job.ID, "run", j.Job.Run, "task", j.Job.Task, "stage", j.Job.Stage,
		"attempt", j.Job.Attempt, "tier", int(v.Tier), "reason", v.Reason}
	if began := j.Job.Began(); !began.IsZero() {
		line = append(line, "age", at.Rows.Sub(began).String())
	}
	if j.Job.Finished() {
		line = append(line, "finished_age", at.Rows.Sub(j.Job.FinishedAt).String())
	}
	if o := j.Claim.Owner; o != nil {
		line = append(line, "owner", o.Name, "owner_state", o.State, "proof", o.Proof, "pid", o.PID)
		if o.Step != "" {
			line = append(line, "step", o.Step)
		}
	}
	if w := j.Claim.Worker; w != nil {
		line = append(line, "worker", w.Name, "worker_state", w.State, "worker_proof", w.Proof)
	}
	r.Audit.Info(what, append(line, more...)...)
}
