package reaper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// TestForecast has what a person reads in /queue: when the verdict changes, and when the job is reaped. Spans
// are from the instant; never is no forecast.
func TestForecast(t *testing.T) {
	const never = time.Duration(-1)
	const backstop = 90 * time.Minute // of a job that began half an hour ago
	for name, c := range map[string]struct {
		given         []given
		changes, reap time.Duration
	}{
		"running":                     {nil, never, backstop},
		"finalizing":                  {[]given{finished(time.Minute)}, never, time.Minute},
		"reaped now":                  {[]given{finished(grace)}, never, 0},
		"connected":                   {[]given{finished(time.Minute), owned(watchdog.Connected)}, time.Minute, backstop},
		"connected, due":              {[]given{finished(grace), owned(watchdog.Connected)}, never, backstop},
		"in a step":                   {[]given{finished(grace), owned(watchdog.Connected), step(time.Hour)}, time.Hour, backstop},
		"in a step, REAP_STALLED":     {[]given{finished(grace), owned(watchdog.Connected), step(time.Hour), reapStalled}, never, time.Hour},
		"reconnecting":                {[]given{finished(grace), owned(watchdog.Reconnecting)}, 15 * time.Second, 15*time.Second + grace},
		"reconnecting, not due":       {[]given{finished(time.Minute), owned(watchdog.Reconnecting)}, 15 * time.Second, 15*time.Second + grace},
		"cleared":                     {[]given{finished(grace), cleared(30 * time.Second)}, never, 90 * time.Second},
		"held":                        {[]given{finished(grace), held(30 * time.Second)}, never, 30 * time.Second},
		"held after its death":        {[]given{finished(time.Second), owned(watchdog.Dead), held(30 * time.Second)}, never, 30 * time.Second},
		"held, running":               {[]given{held(30 * time.Second)}, 30 * time.Second, backstop},
		"held past the ceiling":       {[]given{began(ceiling), held(30 * time.Second)}, never, 30 * time.Second},
		"dead a second time":          {[]given{finished(time.Second), owned(watchdog.Dead), backoff(10 * time.Second)}, never, 10 * time.Second},
		"warming up":                  {[]given{finished(grace), warming(15 * time.Second)}, never, 15 * time.Second},
		"warming up, then jumped":     {[]given{finished(grace), warming(15 * time.Second), jumped(time.Minute)}, 15 * time.Second, time.Minute},
		"jumped past the ceiling":     {[]given{began(ceiling), jumped(time.Minute)}, never, time.Minute},
		"braking":                     {[]given{finished(grace), braking}, never, backstop},
		"standby has no end":          {[]given{finished(grace), standby}, never, never},
		"pending has no end":          {[]given{finished(grace), pending}, never, never},
		"its pid gone since just now": {[]given{gone(5 * time.Second)}, never, 5 * time.Second},
		"closed":                      {[]given{job(func(j *watchdog.Job) { j.Status = watchdog.StatusDone })}, never, never},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := facts(c.given...)
			v := p.Decide(f, instant())
			want := func(span time.Duration) time.Time {
				if span == never {
					return time.Time{}
				}
				return instant().Rows.Add(span)
			}
			assert.Equal(t, want(c.changes), v.ChangesAt, "changes_at")
			assert.Equal(t, want(c.reap), v.ReapAt, "reap_at")
		})
	}
}

// TestDueSince has since when a job that is to be reaped waits for that; never where it is not known.
func TestDueSince(t *testing.T) {
	const never = time.Duration(-1)
	diedAgo := func(f *reaper.Facts, _ *reaper.Policy) { f.Claim.Owner.DiedAt = boot - 7*time.Second }
	workerDiedAgo := func(f *reaper.Facts, _ *reaper.Policy) { f.Claim.Worker.DiedAt = boot - 9*time.Second }
	for name, c := range map[string]struct {
		given []given
		ago   time.Duration
	}{
		"past the grace":        {[]given{finished(grace + time.Minute)}, time.Minute},
		"past that of a clear":  {[]given{finished(time.Hour), began(time.Hour), cleared(grace + time.Second)}, time.Second},
		"past the ceiling":      {[]given{began(ceiling + time.Hour)}, time.Hour},
		"its owner died":        {[]given{finished(time.Hour), began(time.Hour), owned(watchdog.Dead), diedAgo}, 7 * time.Second},
		"its worker died":       {[]given{worker(watchdog.Dead), workerDiedAgo}, 9 * time.Second},
		"its worker's pid gone": {[]given{gone(0)}, never},
		"off, its pid gone":     {[]given{gone(0), worker(watchdog.Dead), workerDiedAgo, off}, never},
		"not to be reaped":      {[]given{finished(time.Minute)}, never},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := facts(c.given...)
			want := instant().Rows.Add(-c.ago)
			if c.ago == never {
				want = time.Time{}
			}
			assert.Equal(t, want, p.Decide(f, instant()).DueSince)
		})
	}
}
