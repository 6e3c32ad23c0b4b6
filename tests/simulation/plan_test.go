package simulation

import (
	"fmt"
	"strings"
	"time"

	"github.com/finalizer-watchdog/watchdog/reaper"
)

// plan is all that is to happen in one simulated world. It follows from its seed alone; whatever else a world
// does it does in answer to the plan.
type plan struct {
	seed     uint64
	settings settings
	jobs     []jobPlan
	faults   []fault
}

// settings are the watchdog's, on a scale on which a world is over in a minute.
type settings struct {
	lease, warmup, hold, interval time.Duration
	policy                        reaper.Policy
	databaseClock                 bool
	dryRun                        bool
	statement                     time.Duration // how long a statement may take
	hurried                       bool          // messages and statements mostly take no longer than they must
}

const (
	guarded   = "deploy-staging"
	unguarded = "deploy"
	processes = 3
)

// jobPlan is what becomes of one job as far as its orchestrator has a say.
type jobPlan struct {
	id    string
	at    time.Duration // when it is first claimed
	stage string
	runs  []runPlan // the last also stands for all further ones
}

// runPlan is one run of a job.
type runPlan struct {
	worker    bool          // its agent marks itself
	dies      bool          // and is killed before the run ends
	work      time.Duration // until the run has finished
	start     time.Duration // of its finalizer, counted from then; negative: before
	process   int
	rival     time.Duration // after the first a second finalizer starts; 0: none does
	finalizer finalizerPlan
}

// finalizerPlan is what one finalizer does.
type finalizerPlan struct {
	rounds   []round
	ending   ending
	stubborn bool // goes on when nobody knows whether it may
}

type round struct {
	think  time.Duration
	budget time.Duration // of the step that it tells; 0: it tells none
	check  bool
	act    time.Duration // for how long it acts after that, as far as its hold goes
	moves  bool          // moves the task to another stage
}

type ending int

const (
	finalizes ending = iota // closes the job, then clears
	abandons                // clears, and leaves the job open
	forgets                 // leaves everything as it is
	exits                   // clears, and its process ends in the same instant
)

// horizon is when the last fault has begun.
func (s settings) horizon() time.Duration { return s.policy.Ceiling + s.policy.Ceiling/2 }

func newPlan(seed uint64) *plan {
	d := newDice(seed, 0)
	p := &plan{seed: seed, settings: newSettings(d)}
	jobs, faults := 1+d.IntN(3), d.IntN(10)
	if p.settings.policy.BrakeMin < 10 {
		jobs += 4
	}
	for i := range jobs {
		p.jobs = append(p.jobs, newJob(newDice(seed, uint64(1+i)), fmt.Sprint(i+1), p.settings))
	}
	for i := range faults {
		p.faults = append(p.faults, newFault(newDice(seed, uint64(1000+i)), p))
	}
	return p
}

func newSettings(d dice) settings {
	s := settings{lease: time.Second, warmup: time.Second, hold: 2 * time.Second, interval: 500 * time.Millisecond,
		statement: time.Second, databaseClock: d.one(2), dryRun: d.one(40), hurried: d.one(2)}
	s.policy = reaper.Policy{GuardedStages: []string{guarded}, Grace: 4 * time.Second, Ceiling: 16 * time.Second,
		MaxAttempts: 3, BrakeRatio: 0.5, BrakeMin: 10, ReapStalled: d.one(20)}
	if d.one(6) {
		s.lease, s.warmup, s.hold, s.interval = 3*time.Second, 3*time.Second, 4*time.Second, time.Second
		s.policy.Grace, s.policy.Ceiling = 8*time.Second, 40*time.Second
	}
	if d.one(12) {
		s.policy.BrakeMin = 3
	}
	if d.one(4) {
		s.warmup = 2 * s.lease
	}
	return s
}

func newJob(d dice, id string, s settings) jobPlan {
	j := jobPlan{id: id, at: d.rough(s.policy.Ceiling), stage: guarded}
	if d.one(8) {
		j.stage = unguarded
	}
	for range 1 + d.IntN(2) {
		j.runs = append(j.runs, newRun(d, s))
	}
	if s.policy.BrakeMin < 10 && !d.one(4) { // one of many that are neglected at the same time
		j.at = d.rough(s.interval)
		j.runs[0].work, j.runs[0].start = d.rough(s.interval), 2*s.policy.Grace
	}
	return j
}

func newRun(d dice, s settings) runPlan {
	r := runPlan{work: d.rough(s.policy.Grace), start: d.rough(s.policy.Grace / 2), process: d.IntN(processes),
		finalizer: newFinalizer(d, s)}
	switch {
	case d.one(6): // just when the grace of an unfinalized job ends
		r.start = s.policy.Grace + d.rough(2*s.interval) - d.rough(s.interval)
	case d.one(6):
		r.start = -d.rough(r.work)
	}
	if d.one(5) {
		r.worker, r.dies = true, d.one(2)
	}
	if d.one(6) {
		r.rival = 1 + d.rough(s.policy.Grace)
	}
	return r
}

func newFinalizer(d dice, s settings) finalizerPlan {
	f := finalizerPlan{stubborn: d.one(3)}
	long := s.policy.Grace
	if d.one(4) {
		long = s.policy.Ceiling
	}
	for range 1 + d.IntN(4) {
		r := round{think: d.rough(long), check: !d.one(5), moves: d.one(10)}
		if d.one(3) {
			r.budget = d.span(s.lease/2, long)
		}
		if d.one(2) {
			r.act = d.span(0, 2*s.hold)
		}
		f.rounds = append(f.rounds, r)
	}
	switch {
	case d.one(8):
		f.ending = abandons
	case d.one(12):
		f.ending = forgets
	case d.one(12):
		f.ending = exits
	}
	return f
}

// parts is how many parts of the plan can be left out.
func (p *plan) parts() int { return len(p.jobs) + len(p.faults) }

// only returns the plan with no other parts than the given ones.
func (p *plan) only(keep []int) *plan {
	q := &plan{seed: p.seed, settings: p.settings}
	for _, i := range keep {
		if i < len(p.jobs) {
			q.jobs = append(q.jobs, p.jobs[i])
		} else {
			q.faults = append(q.faults, p.faults[i-len(p.jobs)])
		}
	}
	return q
}

// String is the plan as a schedule for people.
func (p *plan) String() string {
	var b strings.Builder
	s := p.settings
	fmt.Fprintf(&b, "lease %v, warm-up %v, hold %v, interval %v, grace %v, ceiling %v, brake from %d, dry run %t, reap stalled %t, database's clock %t\n",
		s.lease, s.warmup, s.hold, s.interval, s.policy.Grace, s.policy.Ceiling, s.policy.BrakeMin, s.dryRun, s.policy.ReapStalled, s.databaseClock)
	for _, j := range p.jobs {
		fmt.Fprintf(&b, "  %v job %s is claimed, stage %s\n", j.at.Round(time.Millisecond), j.id, j.stage)
		for i, r := range j.runs {
			fmt.Fprintf(&b, "    run %d: %+v\n", i+1, r)
		}
	}
	for _, f := range p.faults {
		fmt.Fprintf(&b, "  %v\n", f)
	}
	return b.String()
}
