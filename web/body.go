package web

import (
	"strconv"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// The bodies of /queue, held by queue.schema.json. A nil pointer is null: unknown, or none.

// headBody is what stands before the jobs of a page; after them comes "next".
type headBody struct {
	Now    *string        `json:"now"`
	Queue  map[string]int `json:"queue"`
	Reaper reaperBody     `json:"reaper"`
}

// unavailableBody is a page without jobs, and why.
type unavailableBody struct {
	Error   string `json:"error"`
	Message string `json:"message"`
	headBody
	Jobs *struct{} `json:"jobs"`
	Next *struct{} `json:"next"`
}

type refusalBody struct {
	Error   string  `json:"error"`
	Field   *string `json:"field"`
	Message string  `json:"message"`
}

type reaperBody struct {
	LivenessEnabled bool    `json:"finalizer_liveness_enabled"`
	DryRun          bool    `json:"dry_run"`
	WarmingUp       bool    `json:"warming_up"`
	Braking         bool    `json:"braking"`
	ClockJump       bool    `json:"clock_jump"`
	Standby         bool    `json:"standby"`
	StandbyReason   *string `json:"standby_reason"`
	DatabaseUp      bool    `json:"database_up"`
	ClockSkew       float64 `json:"clock_skew_s"`

	LastPassAt    *string `json:"last_pass_at"`
	LastPassError *string `json:"last_pass_error"`
	LastSuccessAt *string `json:"last_success_at"`
	Pending       int     `json:"pending_reaps"`
	Malformed     int     `json:"malformed_jobs"`

	DefersTotal int64            `json:"finalizer_defers_total"`
	Owned       int              `json:"finalizer_owned"`
	Stalled     int              `json:"finalizer_stalled"`
	Sessions    map[string]int   `json:"finalizer_sessions"`
	ReapedTotal map[string]int64 `json:"reaped_total"`

	Settings map[string]string `json:"settings"`
	Version  string            `json:"version"`
}

func newReaperBody(c Config, s watchdog.Status) reaperBody {
	owners := c.Owners()
	body := reaperBody{
		LivenessEnabled: s.LivenessEnabled,
		DryRun:          s.DryRun,
		WarmingUp:       s.WarmingUp,
		Braking:         s.Braking,
		ClockJump:       s.ClockJump,
		Standby:         s.Standby,
		StandbyReason:   text(s.StandbyReason),
		DatabaseUp:      s.DatabaseUp,
		ClockSkew:       seconds(s.ClockSkew),

		LastPassAt:    instant(s.LastPassAt),
		LastPassError: text(s.LastPassError),
		LastSuccessAt: instant(s.LastSuccessAt),
		Pending:       s.Pending,
		Malformed:     s.Malformed,

		DefersTotal: s.DefersTotal,
		Owned:       owners.Owned,
		Stalled:     owners.Stalled,
		Sessions:    make(map[string]int),
		ReapedTotal: make(map[string]int64),

		Settings: c.Settings,
		Version:  c.Version,
	}
	for _, proof := range []watchdog.Proof{watchdog.ProofPidfd, watchdog.ProofPID, watchdog.ProofNone} {
		body.Sessions[string(proof)] = owners.Sessions[proof]
	}
	for _, tier := range []watchdog.Tier{watchdog.Tier1, watchdog.Tier2, watchdog.Tier3} {
		body.ReapedTotal[strconv.Itoa(int(tier))] = s.ReapedTotal[tier]
	}
	if body.Settings == nil {
		body.Settings = map[string]string{}
	}
	return body
}
