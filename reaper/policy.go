package reaper

import (
	"maps"
	"slices"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// Policy is what the operator wants. It is a value: the kill switch, which changes at run time, is not
// among its fields.
type Policy struct {
	GuardedStages []string // "*": all
	Grace         time.Duration
	Ceiling       time.Duration
	StageGrace    map[string]time.Duration // for single stages
	StageCeiling  map[string]time.Duration
	ReapStalled   bool // an owner that is silent does not defer
	MaxAttempts   int64
	BrakeRatio    float64 // of the open jobs
	BrakeMin      int
}

// Guards reports whether the ownership of a stage's finalizers is honoured.
func (p *Policy) Guards(stage string) bool {
	return slices.Contains(p.GuardedStages, "*") || slices.Contains(p.GuardedStages, stage)
}

func (p *Policy) grace(stage string) time.Duration {
	if d, ok := p.StageGrace[stage]; ok {
		return d
	}
	return p.Grace
}

func (p *Policy) ceiling(stage string) time.Duration {
	if d, ok := p.StageCeiling[stage]; ok {
		return d
	}
	return p.Ceiling
}

// Backstop is when the job's age reaches its ceiling; zero when its age is not known.
func (p *Policy) Backstop(job watchdog.Job) time.Time {
	if began := job.Began(); !began.IsZero() {
		return began.Add(p.ceiling(job.Stage))
	}
	return time.Time{}
}

// least are the shortest grace and ceiling of any stage: no job is due by age before them.
func (p *Policy) least() (grace, ceiling time.Duration) {
	grace, ceiling = p.Grace, p.Ceiling
	for _, d := range p.StageGrace {
		grace = min(grace, d)
	}
	for _, d := range p.StageCeiling {
		ceiling = min(ceiling, d)
	}
	return grace, ceiling
}

// LongestGrace is the longest grace of any stage.
func (p *Policy) LongestGrace() time.Duration {
	longest := p.Grace
	for _, d := range p.StageGrace {
		longest = max(longest, d)
	}
	return longest
}

// Stages are the stages that the policy names: those a figure may be told by.
func (p *Policy) Stages() []string {
	known := slices.Concat(p.GuardedStages, slices.Collect(maps.Keys(p.StageGrace)), slices.Collect(maps.Keys(p.StageCeiling)))
	slices.Sort(known)
	return slices.DeleteFunc(slices.Compact(known), func(stage string) bool { return stage == "*" })
}
