package main

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// span is a duration with the setting that it came from.
type span struct {
	variable string
	stage    string // when the setting is a map of stages
	length   time.Duration
}

func (s span) String() string {
	if s.stage == "" {
		return fmt.Sprintf("%s (%s)", s.variable, shortDuration(s.length))
	}
	return fmt.Sprintf("%s's %s (%s)", s.variable, s.stage, shortDuration(s.length))
}

// checkSpans requires that every duration is positive and that they are in the order on which the reaper's
// rules rest, for each stage that has its own.
func (r *reader) checkSpans() {
	c := r.config
	lease := span{"WATCHDOG_HEARTBEAT_LEASE", "", c.HeartbeatLease}
	hold := span{"WATCHDOG_CHECK_HOLD", "", c.CheckHold}
	interval := span{"WATCHDOG_REAPER_INTERVAL", "", c.ReaperInterval}
	grace := span{"WATCHDOG_REAPER_FINALIZE_GRACE", "", c.ReaperFinalizeGrace}
	ceiling := span{"WATCHDOG_REAPER_CEILING", "", c.ReaperCeiling}
	graces := spansOf("WATCHDOG_REAPER_STAGE_GRACE", c.ReaperStageGrace)
	ceilings := spansOf("WATCHDOG_REAPER_STAGE_CEILING", c.ReaperStageCeiling)

	timeout := span{"WATCHDOG_DATABASE_TIMEOUT", "", c.DatabaseTimeout}

	r.positive(timeout, lease, hold, interval, grace, ceiling)
	r.positive(slices.Concat(inOrder(graces), inOrder(ceilings))...)
	if r.given[warmup] != "" { // else it is the lease, of which enough is said
		warm := span{warmup, "", c.HeartbeatWarmup}
		r.positive(warm)
		r.shorter(warm, ceiling) // as much of a guarantee as it may take
	}
	r.atLeast(time.Second, "", lease)
	r.atLeast(10*time.Millisecond, "no statement is quicker", timeout)
	r.atLeast(10*time.Millisecond, "the database would do nothing else", interval)
	r.atLeast(100*time.Millisecond, "a hold is over before its answer came", hold)

	r.ordered(lease, interval, grace, hold, ceiling)
	for _, stage := range stagesOf(graces, ceilings) {
		g, c := grace, ceiling
		if own, ok := graces[stage]; ok {
			g = own
		}
		if own, ok := ceilings[stage]; ok {
			c = own
		}
		r.ordered(lease, interval, g, hold, c)
	}
}

// ordered requires lease < grace < ceiling, interval < grace and hold < ceiling.
func (r *reader) ordered(lease, interval, grace, hold, ceiling span) {
	r.shorter(lease, grace)
	r.shorter(interval, grace)
	r.shorter(grace, ceiling)
	r.shorter(hold, ceiling)
}

func (r *reader) shorter(a, b span) {
	if a.length < b.length || r.unread[a.variable] || r.unread[b.variable] {
		return
	}
	if a.stage != "" {
		r.fault(a.variable, "%s must be shorter than %s", a.stage, b)
		return
	}
	r.fault(a.variable, "must be shorter than %s", b)
}

// positive requires every span to be longer than 0. One that is not is not held to the order too.
func (r *reader) positive(spans ...span) {
	for _, s := range spans {
		r.require(s.length > 0, s.variable, "must be longer than 0")
		r.unread[s.variable] = r.unread[s.variable] || s.length <= 0
	}
}

// atLeast requires the shortest length that makes sense, and says why a shorter one makes none.
func (r *reader) atLeast(least time.Duration, why string, s span) {
	rule := "must be at least " + least.String()
	if why != "" {
		rule += ": with less, " + why
	}
	r.require(s.length >= least, s.variable, "%s", rule)
}

func spansOf(variable string, stages stageDurations) map[string]span {
	spans := make(map[string]span, len(stages))
	for stage, length := range stages {
		spans[stage] = span{variable, stage, length}
	}
	return spans
}

func stagesOf(graces, ceilings map[string]span) []string {
	all := maps.Clone(graces)
	maps.Copy(all, ceilings)
	return slices.Sorted(maps.Keys(all))
}

func inOrder(spans map[string]span) []span {
	list := make([]span, 0, len(spans))
	for _, stage := range stagesOf(spans, nil) {
		list = append(list, spans[stage])
	}
	return list
}
