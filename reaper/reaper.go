package reaper

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// Store is the orchestrator's database. Every call is bounded in time by the store itself.
type Store interface {
	Due(ctx context.Context, now time.Time, grace, ceiling time.Duration, after watchdog.JobID, limit int) ([]watchdog.Job, error)
	OpenJobs(ctx context.Context, now time.Time, after watchdog.JobID, limit int) ([]watchdog.Job, error)
	Jobs(ctx context.Context, now time.Time, ids []watchdog.JobID) ([]watchdog.Job, error)
	Counts(ctx context.Context) (map[string]int, error)
	Now(ctx context.Context) (time.Time, error)
	Begin(ctx context.Context) (Tx, error)
}

// Tx is one transaction. After Commit or Rollback it is over, whatever they returned.
type Tx interface {
	// Lock locks the job's row and its run's, and returns the job; watchdog.ErrNoJob when there is none, or when
	// somebody else has it locked.
	Lock(ctx context.Context, id watchdog.JobID) (watchdog.Job, error)
	// Requeue gives the job back to the orchestrator, and is false when it is not open at that version.
	Requeue(ctx context.Context, now time.Time, id watchdog.JobID, version string) (bool, error)
	// Fail ends the job, and is false when it is not open at that version.
	Fail(ctx context.Context, now time.Time, id watchdog.JobID, version string) (bool, error)
	// Commit is hurried, not given up, when ctx ends.
	Commit(ctx context.Context) error
	Rollback() error
}

// Owners is what the reaper needs of the registry. Instants are on CLOCK_BOOTTIME.
type Owners interface {
	Look(at watchdog.Instant, jobs []watchdog.Job) []watchdog.Claim
	Deaths() <-chan struct{}
	TakeDead(limit int) (jobs []watchdog.JobID, more bool)
	Revoke(at time.Duration, judged []watchdog.Judged) (lost []watchdog.JobID)
	Settle(at time.Duration, jobs []watchdog.JobID)
}

// Observer is told what the reaper does. Its methods must return at once.
type Observer interface {
	Deferred(reason watchdog.Reason)
	Reaped(tier watchdog.Tier, reason watchdog.Reason, recovery time.Duration) // recovery < 0: not known
	WouldReap(tier watchdog.Tier, reason watchdog.Reason)
	LostRace(tier watchdog.Tier)
	Failed(phase string)
	PassDone(took time.Duration, ok bool)
}

// Options are what a Reaper is made of. Exclusive and PIDGone may be nil; all else is required.
type Options struct {
	Policy   Policy
	Interval time.Duration
	Warmup   time.Duration
	DryRun   bool
	Liveness *atomic.Bool // the kill switch

	Store    Store
	Owners   Owners
	Observer Observer
	Boot     func() time.Duration // CLOCK_BOOTTIME
	// DatabaseClock says that the database stamps the rows; otherwise the host does.
	DatabaseClock bool
	// Exclusive is nil, or says why this watchdog must not judge by age: another has the database.
	Exclusive func(ctx context.Context) error
	// PIDGone is nil, or reports that there is no process of that id.
	PIDGone func(pid int64) bool
	Log     *slog.Logger
	Audit   *slog.Logger
}

// Reaper judges and recovers. Run passes; the other methods may be called at any time, by anyone.
type Reaper struct {
	Options
	kick chan struct{} // a pass is wanted now

	// Of Run's goroutine alone.
	again    *time.Timer                        // something has to be tried again
	more     bool                               // of the dead are waiting
	deferred map[watchdog.JobID]watchdog.Reason // of the last pass, to tell when a deferral begins
	would    map[watchdog.JobID]pretended       // by dry runs
	recheck  map[watchdog.JobID]retry           // jobs of dead owners that have to be looked at again
	slow     int                                // passes that failed in a row
	counted  time.Duration                      // when the open jobs were last counted

	mu      sync.Mutex
	status  watchdog.Status
	doubts  doubts
	gone    map[watchdog.JobID]sighting // of the last pass
	pending map[watchdog.JobID]*pending
	crashes map[watchdog.JobID]crash
}

// crash counts how often a job was recovered because its owner died.
type crash struct {
	count int
	last  time.Duration
}

// New returns a reaper that does nothing until it runs.
func New(o Options) *Reaper {
	r := &Reaper{
		Options:  o,
		kick:     make(chan struct{}, 1),
		deferred: make(map[watchdog.JobID]watchdog.Reason),
		would:    make(map[watchdog.JobID]pretended),
		recheck:  make(map[watchdog.JobID]retry),
		pending:  make(map[watchdog.JobID]*pending),
		crashes:  make(map[watchdog.JobID]crash),
		doubts:   newDoubts(&o.Policy, o.Boot()+o.Warmup),
	}
	r.status.ReapedTotal = map[watchdog.Tier]int64{watchdog.Tier1: 0, watchdog.Tier2: 0, watchdog.Tier3: 0}
	return r
}

// Run passes once every interval, and at once on a proven death, until ctx ends. The transaction in flight
// ends with it: committed or rolled back.
func (r *Reaper) Run(ctx context.Context) error {
	next := time.NewTimer(0)
	defer next.Stop()
	r.again = time.NewTimer(time.Hour)
	defer r.again.Stop()
	for {
		r.again.Reset(r.untilRetry())
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
			next.Reset(r.pass(ctx))
		case <-r.kick:
			next.Reset(r.pass(ctx))
		case <-r.Owners.Deaths():
			r.dead(ctx)
			r.passIfDue(ctx, next)
		case <-r.again.C:
			r.retry(ctx)
			r.passIfDue(ctx, next)
		}
	}
}

// passIfDue gives a pass its turn between two batches of the dead: which of them came next would else be chance.
func (r *Reaper) passIfDue(ctx context.Context, next *time.Timer) {
	select {
	case <-next.C:
		next.Reset(r.pass(ctx))
	default:
	}
}

// now is one instant on both clocks. The boot clock is read first: what happens while the database answers
// counts as later. The host's clock is taken without its monotonic reading, for two instants with one are compared
// by that alone, and a clock that was set would go unnoticed.
func (r *Reaper) now(ctx context.Context) (watchdog.Instant, error) {
	at := watchdog.Instant{Rows: time.Now().Round(0), Boot: r.Boot()}
	if !r.DatabaseClock {
		return at, nil
	}
	rows, err := r.Store.Now(ctx)
	if err != nil {
		return at, fmt.Errorf("read the database's clock: %w", err)
	}
	at.Rows = rows
	return at, nil
}

// passNow is now for a pass, which lets the dead go first while a database is asked.
func (r *Reaper) passNow(ctx context.Context) (at watchdog.Instant, err error) {
	if !r.DatabaseClock {
		return r.now(ctx)
	}
	r.meanwhile(ctx, func() { at, err = r.now(ctx) })
	return at, err
}

// facts are what is known of a job and its claim.
func (r *Reaper) facts(job watchdog.Job, claim watchdog.Claim, enabled bool) *Facts {
	f := &Facts{Job: job, Claim: claim, Enabled: enabled}
	vanished := r.vanished(job)
	r.mu.Lock()
	defer r.mu.Unlock()
	f.Doubt = r.doubts.now
	_, f.Pending = r.pending[job.ID]
	if n := r.crashes[job.ID].count; n > 0 && claim.Owner != nil && claim.Owner.State == watchdog.Dead {
		f.NotBefore = claim.Owner.DiedAt + r.backoff(n, r.Policy.grace(job.Stage))
	}
	if s, ok := r.gone[job.ID]; ok && vanished && s.version == job.Version {
		f.GoneFrom = s.at + r.Interval
	}
	return f
}

// backoff is how long the n-th further death of one job's owner waits: it doubles, up to the grace, which is
// what the job would have waited without any proof.
func (r *Reaper) backoff(n int, grace time.Duration) time.Duration {
	wait := r.Interval
	for range n {
		if wait >= grace {
			break
		}
		wait *= 2
	}
	return min(wait, grace)
}
