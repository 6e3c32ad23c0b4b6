package main

import (
	"slices"
	"strings"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// queueAnswer is what explain reads of an answer of /queue: web/queue.schema.json tells the fields' meaning. A nil
// pointer is what nobody knows.
type queueAnswer struct {
	Error   string       `json:"error"`
	Message string       `json:"message"`
	Now     time.Time    `json:"now"`
	Reaper  reaperAnswer `json:"reaper"`
	Jobs    []queueJob   `json:"jobs"`
}

type reaperAnswer struct {
	LivenessEnabled bool              `json:"finalizer_liveness_enabled"`
	DryRun          bool              `json:"dry_run"`
	StandbyReason   *string           `json:"standby_reason"`
	LastPassError   *string           `json:"last_pass_error"`
	Settings        map[string]string `json:"settings"`
}

type queueJob struct {
	Job          string       `json:"job"`
	Run          *string      `json:"run"`
	Task         *string      `json:"task"`
	Stage        *string      `json:"stage"`
	Status       *string      `json:"status"`
	Attempt      *int64       `json:"attempt"`
	CreatedAt    *time.Time   `json:"created_at"`
	StartedAt    *time.Time   `json:"started_at"`
	RunStartedAt *time.Time   `json:"run_started_at"`
	FinishedAt   *time.Time   `json:"finished_at"`
	ExitCode     *int64       `json:"exit_code"`
	PID          *int64       `json:"pid"`
	Owner        *queueOwner  `json:"owner"`
	Worker       *queueOwner  `json:"worker"`
	HeldUntil    *time.Time   `json:"held_until"`
	ClearedAt    *time.Time   `json:"cleared_at"`
	Verdict      queueVerdict `json:"verdict"`
}

type queueOwner struct {
	State      watchdog.State `json:"state"`
	Name       *string        `json:"name"`
	PID        *int           `json:"pid"`
	UID        int            `json:"uid"`
	Proof      watchdog.Proof `json:"proof"`
	Guarded    bool           `json:"guarded"`
	Step       *string        `json:"step"`
	StepUntil  *time.Time     `json:"step_until"`
	MarkedAt   *time.Time     `json:"marked_at"`
	BeatAge    float64        `json:"beat_age_s"`
	LeaseUntil *time.Time     `json:"lease_until"`
	DiedAt     *time.Time     `json:"died_at"`
}

type queueVerdict struct {
	Action    watchdog.Action `json:"action"`
	Tier      *int            `json:"tier"`
	Reason    watchdog.Reason `json:"reason"`
	Detail    *string         `json:"detail"`
	ChangesAt *time.Time      `json:"changes_at"`
	ReapAt    *time.Time      `json:"reap_at"`
	DueSince  *time.Time      `json:"due_since"`
}

// ageless reports whether nothing is known from which the job's age could count: no rule of age reaps it.
func (j *queueJob) ageless() bool {
	return j.RunStartedAt == nil && j.StartedAt == nil && j.CreatedAt == nil
}

// or is a text that may be unknown.
func or(known *string, otherwise string) string {
	if known == nil {
		return otherwise
	}
	return *known
}

// guards reports whether the ownership counts for a job in this stage.
func (r *reaperAnswer) guards(stage string, o *queueOwner) bool {
	guarded := strings.Split(r.Settings["WATCHDOG_REAPER_GUARDED_STAGES"], ",")
	return o.Guarded || slices.Contains(guarded, "*") || slices.Contains(guarded, stage)
}

// limit is the setting of that name for a stage, such as GRACE: the stage's own, or else everybody's.
func (r *reaperAnswer) limit(everybodys, stages, stage string) string {
	var own stageDurations
	if text := r.Settings[stages]; text != "" && own.Decode(text) == nil {
		if d, ok := own[stage]; ok {
			return shortDuration(d)
		}
	}
	return r.Settings[everybodys]
}

func (r *reaperAnswer) grace(stage string) string {
	return r.limit("WATCHDOG_REAPER_FINALIZE_GRACE", "WATCHDOG_REAPER_STAGE_GRACE", stage)
}

func (r *reaperAnswer) ceiling(stage string) string {
	return r.limit("WATCHDOG_REAPER_CEILING", "WATCHDOG_REAPER_STAGE_CEILING", stage)
}
