package watchdog

import "time"

// Status is a snapshot of the reaper. It is plain data: a scrape or a page may keep it.
type Status struct {
	LivenessEnabled bool // the kill switch
	DryRun          bool
	Braking         bool
	WarmingUp       bool
	ClockJump       bool
	Standby         bool   // another watchdog has the database: no age rule acts
	StandbyReason   string // what forbids it, when Standby

	LastPassAt    time.Time // zero: none was made
	LastPassError string    // of the last pass; empty: it succeeded
	LastSuccessAt time.Time
	DatabaseUp    bool
	ClockSkew     time.Duration // the database's clock less the host's

	Counts    map[string]int // jobs by status, as last read; nil before the first read
	Pending   int            // reaps whose outcome is not known, or that wait for another try
	Malformed int            // malformed jobs that the last pass met

	DefersTotal int64          // deferrals, one a job and pass
	ReapedTotal map[Tier]int64 // committed reaps; an entry for each tier
}

// Queue is one page of the open jobs, judged at one instant.
type Queue struct {
	Now    Instant
	Counts map[string]int // jobs by status
	Status Status
	Jobs   []Judged
	Next   JobID // where the next page begins after; empty: this was the last
}
