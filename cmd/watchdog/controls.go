package main

import (
	"encoding/json"
	"os"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
	"github.com/finalizer-watchdog/watchdog/sql"
)

// controls is what the socket can ask of the program.
type controls struct {
	program *program
	config  Config
}

// Switch turns the finalizer liveness on or off.
func (c controls) Switch(on bool, by string) { c.program.reaper.Switch(on, by) }

// ReleaseBrake lets jobs be reaped without proof again.
func (c controls) ReleaseBrake(by string) { c.program.reaper.ReleaseBrake(by) }

// describe is the status reply.
type describe struct {
	Name              string            `json:"name"`
	Version           string            `json:"version"`
	PID               int               `json:"pid"`
	UptimeS           float64           `json:"uptime_s"`
	FinalizerLiveness bool              `json:"finalizer_liveness"`
	DryRun            bool              `json:"dry_run"`
	Braking           bool              `json:"braking"`
	WarmingUp         bool              `json:"warming_up"`
	ClockJump         bool              `json:"clock_jump"`
	Standby           bool              `json:"standby"`
	StandbyReason     *string           `json:"standby_reason"`
	DatabaseUp        bool              `json:"database_up"`
	Owned             int               `json:"owned"`
	Stalled           int               `json:"stalled"`
	Sessions          map[string]int    `json:"sessions"`
	PendingReaps      int               `json:"pending_reaps"`
	LastPassAt        *time.Time        `json:"last_pass_at"`
	LastPassError     *string           `json:"last_pass_error"`
	Settings          map[string]string `json:"settings"`
}

// Describe returns the members of the status reply.
func (c controls) Describe() []byte {
	boot := c.program.clock.Now()
	s, o := c.program.reaper.Status(), c.program.registry.Count(boot)
	d := describe{Name: "finalizer-watchdog", Version: thisBuild().version, PID: os.Getpid(),
		UptimeS: (boot - c.program.started).Seconds(), FinalizerLiveness: s.LivenessEnabled, DryRun: s.DryRun,
		Braking: s.Braking, WarmingUp: s.WarmingUp, ClockJump: s.ClockJump, Standby: s.Standby,
		StandbyReason: known(s.StandbyReason), DatabaseUp: s.DatabaseUp, Owned: o.Owned, Stalled: o.Stalled,
		Sessions: make(map[string]int), PendingReaps: s.Pending, LastPassError: known(s.LastPassError),
		Settings: c.config.values()}
	for _, proof := range []watchdog.Proof{watchdog.ProofPidfd, watchdog.ProofPID, watchdog.ProofNone} {
		d.Sessions[string(proof)] = o.Sessions[proof]
	}
	if !s.LastPassAt.IsZero() {
		at := s.LastPassAt.UTC()
		d.LastPassAt = &at
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil // strings, numbers and times always can be written
	}
	return text[1 : len(text)-1]
}

func known(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// database is the settings' part that concerns the database at url.
func (c Config) database(url secretURL) sql.Config {
	return sql.Config{URL: string(url), Timeout: c.DatabaseTimeout, Set: c.SQLSet, Dir: c.SQLDir}
}

// policy is the settings' part that the reaper judges by.
func (c Config) policy() reaper.Policy {
	return reaper.Policy{
		GuardedStages: c.ReaperGuardedStages,
		Grace:         c.ReaperFinalizeGrace,
		Ceiling:       c.ReaperCeiling,
		StageGrace:    c.ReaperStageGrace,
		StageCeiling:  c.ReaperStageCeiling,
		ReapStalled:   c.ReaperReapStalled,
		MaxAttempts:   int64(c.ReaperMaxAttempts),
		BrakeRatio:    c.ReaperBrakeRatio,
		BrakeMin:      c.ReaperBrakeMin,
	}
}
