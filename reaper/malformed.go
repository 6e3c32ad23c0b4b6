package reaper

import (
	"fmt"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// malformed says how the facts of a running job contradict each other, or nothing. Slack is how far a clock
// may be ahead of the instant.
func malformed(job watchdog.Job, now time.Time, slack time.Duration) string {
	if job.Unreadable != "" {
		return job.Unreadable
	}
	if job.Began().IsZero() {
		return "neither its start nor its creation is known"
	}
	if job.Run != "" && job.RunStartedAt.IsZero() {
		return "its run has no start"
	}
	if !job.RunStartedAt.IsZero() && job.RunStartedAt.Before(job.StartedAt) {
		return "its run started before the job did"
	}
	if job.Finished() && job.FinishedAt.Before(job.Began()) {
		return "it finished before it began"
	}
	for _, t := range moments(job) {
		if t.at.After(now.Add(slack)) {
			return fmt.Sprintf("%s is in the future: %s", t.name, t.at.UTC().Format(time.RFC3339))
		}
	}
	return ""
}

type moment struct {
	name string
	at   time.Time
}

func moments(job watchdog.Job) []moment {
	return []moment{{"created_at", job.CreatedAt}, {"started_at", job.StartedAt},
		{"run_started_at", job.RunStartedAt}, {"finished_at", job.FinishedAt}}
}
