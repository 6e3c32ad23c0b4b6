package reaper

import (
	"context"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// sighting is when the process of one version of a job was first found to be gone. It is believed an
// interval later: between the exit of a process and the stamp of its monitor every job looks like that.
type sighting struct {
	version string
	at      time.Duration
}

// pids judges the open jobs whose process is gone. Their number is not bounded by what is due: that is the
// price of the setting.
func (r *Reaper) pids(ctx context.Context, t *tally) error {
	known := make(map[watchdog.JobID]bool, len(t.reap))
	for _, j := range t.reap {
		known[j.Job.ID] = true
	}
	return r.readAll(ctx, readBatch, func(after watchdog.JobID) ([]watchdog.Job, error) {
		return r.Store.OpenJobs(ctx, t.at.Rows, after, readBatch)
	}, func(jobs []watchdog.Job) {
		for _, j := range r.judge(t.at, t.enabled, jobs) {
			if r.vanished(j.Job) {
				t.gone[j.Job.ID] = r.sighted(j.Job, t.at.Boot)
			}
			if j.Verdict.Tier == watchdog.Tier1 && !known[j.Job.ID] {
				r.sort(t, j)
			}
		}
	})
}

func (r *Reaper) vanished(job watchdog.Job) bool {
	return r.PIDGone != nil && job.Open() && !job.Finished() && job.PID != nil && r.PIDGone(*job.PID)
}

// sighted is when the job's process was first found to be gone; now, if it was not before.
func (r *Reaper) sighted(job watchdog.Job, now time.Duration) sighting {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.gone[job.ID]; ok && s.version == job.Version {
		return s
	}
	return sighting{job.Version, now}
}
