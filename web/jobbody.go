package web

import (
	"time"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

type jobBody struct {
	Job     string  `json:"job"`
	Run     *string `json:"run"`
	Task    *string `json:"task"`
	Stage   *string `json:"stage"`
	Status  *string `json:"status"`
	Attempt *int64  `json:"attempt"`

	Age         *float64 `json:"age_s"`
	FinishedAge *float64 `json:"finished_age_s"`
	CreatedAt   *string  `json:"created_at"`
	StartedAt   *string  `json:"started_at"`
	RunStarted  *string  `json:"run_started_at"`
	FinishedAt  *string  `json:"finished_at"`
	ExitCode    *int64   `json:"exit_code"`
	PID         *int64   `json:"pid"`

	Owner     *ownerBody `json:"owner"`
	Worker    *ownerBody `json:"worker"`
	HeldUntil *string    `json:"held_until"`
	ClearedAt *string    `json:"cleared_at"`
	Reaping   bool       `json:"reaping"`

	Verdict verdictBody `json:"verdict"`
}

// ownerBody leaves out the owner's token and key: who has them can speak as the owner.
type ownerBody struct {
	State   string  `json:"state"`
	Name    *string `json:"name"`
	PID     *int    `json:"pid"`
	UID     int     `json:"uid"`
	Proof   string  `json:"proof"`
	Guarded bool    `json:"guarded"`

	Step       *string `json:"step"`
	StepUntil  *string `json:"step_until"`
	MarkedAt   *string `json:"marked_at"`
	BeatAge    float64 `json:"beat_age_s"`
	LeaseUntil *string `json:"lease_until"`
	DiedAt     *string `json:"died_at"`
}

type verdictBody struct {
	Action    string  `json:"action"`
	Tier      *int    `json:"tier"`
	Reason    string  `json:"reason"`
	Detail    *string `json:"detail"`
	ChangesAt *string `json:"changes_at"`
	ReapAt    *string `json:"reap_at"`
	DueSince  *string `json:"due_since"`
}

func newJobBody(now watchdog.Instant, judged watchdog.Judged) jobBody {
	job, claim := judged.Job, judged.Claim
	return jobBody{
		Job:     string(job.ID),
		Run:     text(string(job.Run)),
		Task:    text(job.Task),
		Stage:   text(job.Stage),
		Status:  text(job.Status),
		Attempt: known(job.Attempt),

		Age:         age(now.Rows, job.Began()),
		FinishedAge: age(now.Rows, job.FinishedAt),
		CreatedAt:   instant(job.CreatedAt),
		StartedAt:   instant(job.StartedAt),
		RunStarted:  instant(job.RunStartedAt),
		FinishedAt:  instant(job.FinishedAt),
		ExitCode:    job.ExitCode,
		PID:         job.PID,

		Owner:     newOwnerBody(now, claim.Owner),
		Worker:    newOwnerBody(now, claim.Worker),
		HeldUntil: heldUntil(now, claim.HoldUntil),
		ClearedAt: onRows(now, claim.ClearedAt),
		Reaping:   claim.Reaping,

		Verdict: verdictBody{
			Action:    string(judged.Verdict.Action),
			Tier:      known(int(judged.Verdict.Tier)),
			Reason:    string(judged.Verdict.Reason),
			Detail:    text(judged.Verdict.Detail),
			ChangesAt: instant(judged.Verdict.ChangesAt),
			ReapAt:    instant(judged.Verdict.ReapAt),
			DueSince:  instant(judged.Verdict.DueSince),
		},
	}
}

func newOwnerBody(now watchdog.Instant, o *watchdog.Owner) *ownerBody {
	if o == nil {
		return nil
	}
	return &ownerBody{
		State:   string(o.State),
		Name:    text(o.Name),
		PID:     known(o.PID),
		UID:     o.UID,
		Proof:   string(o.Proof),
		Guarded: o.Guarded,

		Step:       text(o.Step),
		StepUntil:  onRows(now, o.StepUntil),
		MarkedAt:   onRows(now, o.MarkedAt),
		BeatAge:    seconds(now.Boot - o.BeatAt),
		LeaseUntil: onRows(now, o.LeaseUntil),
		DiedAt:     onRows(now, o.DiedAt),
	}
}

// heldUntil is null once the hold is over.
func heldUntil(now watchdog.Instant, until time.Duration) *string {
	if until <= now.Boot {
		return nil
	}
	return onRows(now, until)
}
