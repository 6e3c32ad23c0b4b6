package reaper

import (
	"context"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// Doubt is what forbids to judge by age alone. The zero Doubt forbids nothing.
type Doubt struct {
	Standby   bool
	Braking   bool
	WarmUntil time.Duration // boot clock
	JumpUntil time.Duration // boot clock
}

// doubts watches for what forbids to judge by age alone. The reaper's mutex guards it.
type doubts struct {
	now      Doubt
	last     watchdog.Instant // of the pass before; its Rows is zero before the first
	recent   []recent         // reaped without proof, within the last grace
	released bool             // the operator let the brake go, until it would not brake any more

	tolerance time.Duration // how far the clock of the rows may move otherwise than time
	distrust  time.Duration // for how long a clock that moved further is not believed
	window    time.Duration // of the brake
	ratio     float64
	brakeFrom int
}

type recent struct {
	at    time.Duration
	count int
}

func newDoubts(p *Policy, warmUntil time.Duration) doubts {
	grace, _ := p.least()
	return doubts{now: Doubt{WarmUntil: warmUntil}, tolerance: grace / 2, distrust: p.LongestGrace(),
		window: p.Grace, ratio: p.BrakeRatio, brakeFrom: p.BrakeMin}
}

// tick takes in the instant of a pass: a clock that moved otherwise than time did is not believed for one
// grace.
func (d *doubts) tick(at watchdog.Instant) (jumped bool) {
	if !d.last.Rows.IsZero() {
		moved := at.Rows.Sub(d.last.Rows) - (at.Boot - d.last.Boot)
		jumped = moved.Abs() > d.tolerance
	}
	if jumped {
		d.now.JumpUntil = at.Boot + d.distrust
	}
	d.last = at
	for len(d.recent) > 0 && at.Boot >= d.recent[0].at+d.window {
		d.recent = d.recent[1:]
	}
	return jumped
}

// reaped notes that jobs were reaped without proof.
func (d *doubts) reaped(at time.Duration, count int) {
	if count > 0 {
		d.recent = append(d.recent, recent{at, count})
	}
}

// suspects is how many were reaped without proof within the last grace or would be now.
func (d *doubts) suspects(now int) int {
	for _, r := range d.recent {
		now += r.count
	}
	return now
}

// many reports whether there are so many suspects that the number of open jobs matters.
func (d *doubts) many(would int) bool { return d.suspects(would) >= d.brakeFrom }

// brake decides, before the first of a pass is applied, whether so many without proof are likelier our
// mistake than theirs. Open is the number of open jobs, which matters only when there are many; pending is how many of
// them were reaped, but for the outcome of the commit.
func (d *doubts) brake(would, open, pending int) bool {
	total := d.suspects(would)
	over := d.many(would) && float64(total) > d.ratio*float64(open-pending+total-would)
	if !over {
		d.released = false
	}
	d.now.Braking = over && !d.released
	return d.now.Braking
}

// doubt takes in what a pass's instant says about the clock, and whether this watchdog may judge by age.
func (r *Reaper) doubt(ctx context.Context, at watchdog.Instant) {
	var standby error
	if r.Exclusive != nil {
		r.meanwhile(ctx, func() { standby = r.Exclusive(ctx) })
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.doubts.tick(at) {
		r.Log.Warn("the clock of the rows moved otherwise than time did; nothing is judged by age for one grace", "grace", r.doubts.distrust)
	}
	r.status.StandbyReason = ""
	if standby != nil {
		r.status.StandbyReason = standby.Error()
	}
	if was := r.doubts.now.Standby; was != (standby != nil) {
		r.Log.Info("exclusivity changed", "standby", standby != nil, "reason", r.status.StandbyReason)
	}
	r.doubts.now.Standby = standby != nil
}
