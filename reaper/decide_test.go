package reaper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
)

// verdict is the part of a verdict that a row of the table tells.
type verdict struct {
	action watchdog.Action
	tier   watchdog.Tier
	reason watchdog.Reason
}

func reaps(tier watchdog.Tier, reason watchdog.Reason) verdict {
	return verdict{watchdog.Reap, tier, reason}
}
func defers(tier watchdog.Tier, reason watchdog.Reason) verdict {
	return verdict{watchdog.Defer, tier, reason}
}
func waits(tier watchdog.Tier, reason watchdog.Reason) verdict {
	return verdict{watchdog.Wait, tier, reason}
}

// TestDecide is the table of the design, row by row.
func TestDecide(t *testing.T) {
	const due, young, old = 5 * time.Minute, time.Minute, 3 * time.Hour
	var (
		backstop    = reaps(watchdog.Tier3, watchdog.ReasonBackstop)
		died        = reaps(watchdog.Tier2, watchdog.ReasonOwnerDied)
		unfinalized = reaps(watchdog.Tier2, watchdog.ReasonUnfinalized)
		workerDied  = reaps(watchdog.Tier1, watchdog.ReasonWorkerDied)
		finalizing  = waits(watchdog.Tier2, watchdog.ReasonFinalizing)
		running     = waits(0, watchdog.ReasonRunning)
	)
	for name, c := range map[string]struct {
		given []given
		want  verdict
	}{
		"TC-03 Tier 2 defers on deploy-staging, switch on, ownership live": {
			[]given{finished(due), owned(watchdog.Connected)}, defers(watchdog.Tier2, watchdog.ReasonConnected)},
		"TC-04 not on another stage":              {[]given{finished(due), owned(watchdog.Connected), stage("review")}, unfinalized},
		"TC-05 switch off: as without a registry": {[]given{finished(due), owned(watchdog.Connected), off}, unfinalized},
		"TC-06 Tier 3 reaps an owned job past the ceiling": {
			[]given{began(old), finished(due), owned(watchdog.Connected)}, backstop},
		"TC-07 a dead finalizer's job is recovered": {[]given{finished(time.Second), owned(watchdog.Dead)}, died},

		"held, not due":             {[]given{finished(young), held(time.Second)}, waits(watchdog.Tier2, watchdog.ReasonHeld)},
		"held, due":                 {[]given{finished(due), held(time.Second)}, defers(watchdog.Tier2, watchdog.ReasonHeld)},
		"held, running":             {[]given{held(time.Second)}, waits(0, watchdog.ReasonHeld)},
		"held past the ceiling":     {[]given{began(old), held(time.Second)}, defers(watchdog.Tier3, watchdog.ReasonHeld)},
		"held after its death":      {[]given{finished(young), owned(watchdog.Dead), held(time.Second)}, waits(watchdog.Tier2, watchdog.ReasonHeld)},
		"held, switch off":          {[]given{finished(due), held(time.Second), off}, defers(watchdog.Tier2, watchdog.ReasonHeld)},
		"held on another stage":     {[]given{finished(due), held(time.Second), stage("review")}, defers(watchdog.Tier2, watchdog.ReasonHeld)},
		"held, its worker dead":     {[]given{worker(watchdog.Dead), held(time.Second)}, waits(0, watchdog.ReasonHeld)},
		"held, cleared just now":    {[]given{finished(due), cleared(young), held(time.Second)}, waits(watchdog.Tier2, watchdog.ReasonHeld)},
		"the hold is over":          {[]given{finished(due), held(0)}, unfinalized},
		"held and malformed":        {[]given{job(func(j *watchdog.Job) { j.Unreadable = "x" }), held(time.Second)}, waits(0, watchdog.ReasonHeld)},
		"just before the ceiling":   {[]given{began(ceiling - 1)}, running},
		"at the ceiling":            {[]given{began(ceiling)}, backstop},
		"its worker lives, too old": {[]given{began(old), worker(watchdog.Connected)}, backstop},
		"ceiling of its stage":      {[]given{began(old), stageSpans("deploy-staging", grace, 4*time.Hour)}, running},
		"ceiling of another stage":  {[]given{began(old), stageSpans("review", grace, 4*time.Hour)}, backstop},
		"age from its start, without a run": {[]given{began(old), job(func(j *watchdog.Job) {
			j.Run, j.RunStartedAt, j.StartedAt = "", time.Time{}, instant().Rows.Add(-young)
		})}, running},
		"age from its creation, without a start": {[]given{began(old), job(func(j *watchdog.Job) {
			j.Run, j.RunStartedAt, j.StartedAt = "", time.Time{}, time.Time{}
		})}, backstop},

		"dead, due":                            {[]given{finished(due), owned(watchdog.Dead)}, died},
		"dead, switch off":                     {[]given{finished(young), owned(watchdog.Dead), off}, finalizing},
		"dead under an unguarded stage":        {[]given{finished(young), owned(watchdog.Dead), stage("review")}, finalizing},
		"dead under one, due":                  {[]given{finished(due), owned(watchdog.Dead), stage("review")}, unfinalized},
		"dead, its guard latched":              {[]given{finished(young), owned(watchdog.Dead), latched, stage("deploy")}, died},
		"dead, every stage guarded":            {[]given{finished(young), owned(watchdog.Dead), stage("deploy"), guardAll}, died},
		"dead, of another run":                 {[]given{finished(young), ownedBy(watchdog.Dead, "0")}, finalizing},
		"dead, running":                        {[]given{owned(watchdog.Dead)}, running},
		"dead a second time":                   {[]given{finished(young), owned(watchdog.Dead), backoff(time.Second)}, waits(watchdog.Tier2, watchdog.ReasonBackoff)},
		"dead a second time, due":              {[]given{finished(due), owned(watchdog.Dead), backoff(time.Second)}, defers(watchdog.Tier2, watchdog.ReasonBackoff)},
		"dead a second time, after":            {[]given{finished(young), owned(watchdog.Dead), backoff(0)}, died},
		"dead a second time, past the ceiling": {[]given{began(old), finished(due), owned(watchdog.Dead), backoff(time.Second)}, backstop},

		"connected, not due":        {[]given{finished(young), owned(watchdog.Connected)}, waits(watchdog.Tier2, watchdog.ReasonConnected)},
		"reconnecting":              {[]given{finished(due), owned(watchdog.Reconnecting)}, defers(watchdog.Tier2, watchdog.ReasonReconnecting)},
		"stalled":                   {[]given{finished(due), owned(watchdog.Stalled)}, defers(watchdog.Tier2, watchdog.ReasonStalled)},
		"stalled, not due":          {[]given{finished(young), owned(watchdog.Stalled)}, waits(watchdog.Tier2, watchdog.ReasonStalled)},
		"stalled, REAP_STALLED":     {[]given{finished(due), owned(watchdog.Stalled), reapStalled}, unfinalized},
		"stalled, not due, setting": {[]given{finished(young), owned(watchdog.Stalled), reapStalled}, finalizing},
		"connected, REAP_STALLED":   {[]given{finished(due), owned(watchdog.Connected), reapStalled}, defers(watchdog.Tier2, watchdog.ReasonConnected)},
		"connected, latched":        {[]given{finished(due), owned(watchdog.Connected), latched, stage("deploy")}, defers(watchdog.Tier2, watchdog.ReasonConnected)},
		"connected, other run":      {[]given{finished(due), ownedBy(watchdog.Connected, "2")}, unfinalized},
		"past its step's budget":    {[]given{finished(due), owned(watchdog.Connected), step(-1)}, defers(watchdog.Tier2, watchdog.ReasonStalled)},
		"ended":                     {[]given{finished(due), owned(watchdog.Ended)}, unfinalized},

		"at the grace":                             {[]given{finished(grace)}, unfinalized},
		"just before the grace":                    {[]given{finished(grace - 1)}, finalizing},
		"grace of its stage":                       {[]given{finished(due), stageSpans("deploy-staging", 10*time.Minute, ceiling)}, finalizing},
		"cleared within the grace":                 {[]given{finished(due), cleared(young)}, finalizing},
		"cleared a grace ago":                      {[]given{finished(due), cleared(grace)}, unfinalized},
		"cleared, switch off":                      {[]given{finished(due), cleared(young), off}, unfinalized},
		"cleared before it finished":               {[]given{finished(grace), cleared(20 * time.Minute)}, unfinalized},
		"marked again after a clear":               {[]given{finished(due), cleared(young), owned(watchdog.Connected)}, waits(watchdog.Tier2, watchdog.ReasonConnected)},
		"its worker dead, finished":                {[]given{finished(young), worker(watchdog.Dead)}, finalizing},
		"its worker dead":                          {[]given{worker(watchdog.Dead)}, workerDied},
		"its worker dead, switch off":              {[]given{worker(watchdog.Dead), off}, running},
		"its worker dead, any stage":               {[]given{worker(watchdog.Dead), stage("review")}, workerDied},
		"its worker silent":                        {[]given{worker(watchdog.Stalled)}, running},
		"its worker of another run":                {[]given{worker(watchdog.Dead), job(func(j *watchdog.Job) { j.Run = "2" })}, running},
		"its pid gone":                             {[]given{gone(0)}, workerDied},
		"its pid gone, switch off":                 {[]given{gone(-time.Second), off}, workerDied},
		"its pid not gone for long":                {[]given{gone(time.Second)}, running},
		"its pid gone, finished":                   {[]given{gone(0), finished(young)}, finalizing},
		"a live finalizer protects from Tier 1":    {[]given{worker(watchdog.Dead), gone(0), owned(watchdog.Connected)}, running},
		"a silent finalizer protects from it":      {[]given{worker(watchdog.Dead), owned(watchdog.Stalled), reapStalled}, running},
		"a finalizer of another stage does not":    {[]given{worker(watchdog.Dead), owned(watchdog.Connected), stage("review")}, workerDied},
		"nor a dead finalizer":                     {[]given{worker(watchdog.Dead), owned(watchdog.Dead)}, workerDied},
		"nothing is wrong":                         {nil, running},
		"queued":                                   {[]given{began(old), job(func(j *watchdog.Job) { j.Status = watchdog.StatusQueued })}, waits(0, watchdog.ReasonClosed)},
		"done":                                     {[]given{began(old), job(func(j *watchdog.Job) { j.Status = watchdog.StatusDone })}, waits(0, watchdog.ReasonClosed)},
		"failed, its owner dead":                   {[]given{finished(due), owned(watchdog.Dead), job(func(j *watchdog.Job) { j.Status = watchdog.StatusFailed })}, waits(0, watchdog.ReasonClosed)},
		"unknown status":                           {[]given{began(old), finished(due), owned(watchdog.Dead), job(func(j *watchdog.Job) { j.Status = "paused" })}, waits(0, watchdog.ReasonMalformed)},
		"pending, not due":                         {[]given{finished(young), pending}, waits(watchdog.Tier2, watchdog.ReasonReaping)},
		"pending, due, its owner dead":             {[]given{finished(due), owned(watchdog.Dead), pending}, defers(watchdog.Tier2, watchdog.ReasonReaping)},
		"pending past the ceiling":                 {[]given{began(old), pending}, defers(watchdog.Tier3, watchdog.ReasonReaping)},
		"standby":                                  {[]given{finished(due), standby}, defers(watchdog.Tier2, watchdog.ReasonStandby)},
		"standby past the ceiling":                 {[]given{began(old), standby}, defers(watchdog.Tier3, watchdog.ReasonStandby)},
		"standby, a proven death":                  {[]given{finished(young), owned(watchdog.Dead), standby}, died},
		"standby, a proven death past the ceiling": {[]given{began(old), finished(due), owned(watchdog.Dead), standby}, died},
		"warming up":                               {[]given{finished(due), warming(time.Second)}, defers(watchdog.Tier2, watchdog.ReasonWarmingUp)},
		"warming up, not due":                      {[]given{finished(young), warming(time.Second)}, finalizing},
		"warming up past the ceiling":              {[]given{began(old), warming(time.Second)}, backstop},
		"warming up, a proven death":               {[]given{finished(young), owned(watchdog.Dead), warming(time.Second)}, died},
		"warm":                                     {[]given{finished(due), warming(0)}, unfinalized},
		"clock jump":                               {[]given{finished(due), jumped(time.Second)}, defers(watchdog.Tier2, watchdog.ReasonClockJump)},
		"clock jump past the ceiling":              {[]given{began(old), owned(watchdog.Connected), finished(due), jumped(time.Second)}, defers(watchdog.Tier3, watchdog.ReasonClockJump)},
		"clock jump, a proven death":               {[]given{began(old), finished(due), owned(watchdog.Dead), jumped(time.Second)}, died},
		"clock jump, its worker's death":           {[]given{began(old), worker(watchdog.Dead), jumped(time.Second)}, workerDied},
		"the jump is long ago":                     {[]given{began(old), jumped(0)}, backstop},
		"braking":                                  {[]given{finished(due), braking}, defers(watchdog.Tier2, watchdog.ReasonBraking)},
		"braking past the ceiling":                 {[]given{began(old), finished(due), braking}, backstop},
		"braking, a proven death":                  {[]given{finished(due), owned(watchdog.Dead), braking}, died},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := facts(c.given...)
			got := p.Decide(f, instant())
			assert.Equal(t, c.want, verdict{got.Action, got.Tier, got.Reason})
		})
	}
}

// TestDecideMalformed has every kind of a row that contradicts itself, before and after its ceiling.
func TestDecideMalformed(t *testing.T) {
	future := instant().Rows.Add(2 * time.Minute)
	for name, c := range map[string]struct {
		change func(*watchdog.Job)
		detail string
	}{
		"unreadable":          {func(j *watchdog.Job) { j.Unreadable = "pid: x" }, "pid: x"},
		"run without a start": {func(j *watchdog.Job) { j.RunStartedAt = time.Time{} }, "its run has no start"},
		"run before the job":  {func(j *watchdog.Job) { j.RunStartedAt = j.StartedAt.Add(-1) }, "its run started before the job did"},
		"finished too early":  {func(j *watchdog.Job) { j.FinishedAt = j.RunStartedAt.Add(-1) }, "it finished before it began"},
		"finished, without a run": {func(j *watchdog.Job) {
			j.Run, j.RunStartedAt, j.FinishedAt = "", time.Time{}, j.StartedAt.Add(-1)
		}, "it finished before it began"},
		"created in the future":  {func(j *watchdog.Job) { j.CreatedAt = future }, "created_at is in the future: 2026-03-01T12:02:00Z"},
		"finished in the future": {func(j *watchdog.Job) { j.FinishedAt = future }, "finished_at is in the future: 2026-03-01T12:02:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := facts(job(c.change), owned(watchdog.Dead), worker(watchdog.Dead))
			young := p.Decide(f, instant())
			assert.Equal(t, waits(0, watchdog.ReasonMalformed), verdict{young.Action, young.Tier, young.Reason})
			assert.Equal(t, c.detail, young.Detail)

			f, p = facts(began(3*time.Hour), job(c.change))
			old := p.Decide(f, instant())
			assert.Equal(t, reaps(watchdog.Tier3, watchdog.ReasonBackstop), verdict{old.Action, old.Tier, old.Reason})

			f, p = facts(began(3*time.Hour), job(c.change), owned(watchdog.Dead), jumped(time.Minute))
			doubted := p.Decide(f, instant())
			assert.Equal(t, defers(watchdog.Tier3, watchdog.ReasonClockJump), verdict{doubted.Action, doubted.Tier, doubted.Reason})
		})
	}
	t.Run("no age", func(t *testing.T) {
		f, p := facts(finished(time.Hour), job(func(j *watchdog.Job) {
			j.Run, j.CreatedAt, j.StartedAt, j.RunStartedAt = "", time.Time{}, time.Time{}, time.Time{}
		}))
		v := p.Decide(f, instant())
		assert.Equal(t, watchdog.Verdict{Action: watchdog.Wait, Reason: watchdog.ReasonMalformed,
			Detail: "neither its start nor its creation is known"}, v)
	})
	t.Run("began in the future", func(t *testing.T) {
		f, p := facts(began(-time.Hour))
		v := p.Decide(f, instant())
		assert.Equal(t, watchdog.ReasonMalformed, v.Reason)
		assert.Equal(t, instant().Rows.Add(59*time.Minute), v.ChangesAt, "half a grace before it begins")
		assert.Equal(t, instant().Rows.Add(3*time.Hour), v.ReapAt)
	})
	t.Run("a little ahead", func(t *testing.T) {
		f, p := facts(job(func(j *watchdog.Job) { j.FinishedAt = instant().Rows.Add(grace / 2) }))
		assert.Equal(t, watchdog.ReasonFinalizing, p.Decide(f, instant()).Reason)
	})
	t.Run("a year that no clock can count to", func(t *testing.T) {
		f, p := facts(job(func(j *watchdog.Job) { j.CreatedAt = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }))
		v := p.Decide(f, instant())
		assert.Equal(t, watchdog.ReasonMalformed, v.Reason)
		assert.Zero(t, v.ChangesAt)
		assert.Equal(t, instant().Rows.Add(90*time.Minute), v.ReapAt)

		f, p = facts(job(func(j *watchdog.Job) {
			j.Run, j.RunStartedAt, j.StartedAt, j.CreatedAt = "", time.Time{}, time.Time{}, j.CreatedAt.AddDate(7973, 0, 0)
		}))
		v = p.Decide(f, instant())
		assert.Equal(t, watchdog.ReasonMalformed, v.Reason)
		assert.Zero(t, v.ChangesAt)
		assert.Zero(t, v.ReapAt)
	})
}
