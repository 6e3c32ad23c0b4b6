package liveness

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// Observe takes in what the database holds of the jobs that were asked for; rows has those that exist. At
// is an instant before the read: what was marked after it is left alone, for the rows may be older than
// the mark. Whoever owns a job that is not open under its run loses it; the others are confirmed if a
// check waits for that.
func (r *Registry) Observe(at watchdog.Instant, asked []watchdog.JobID, rows []watchdog.Job) {
	found := make(map[watchdog.JobID]*watchdog.Job, len(rows))
	for i := range rows {
		found[rows[i].ID] = &rows[i]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range asked {
		for _, o := range r.owners(id) {
			if o.markedAt <= at.Boot {
				r.compare(o, at, found[id])
			}
		}
	}
}

func (r *Registry) compare(o *ownership, at watchdog.Instant, row *watchdog.Job) {
	if row == nil || !row.Open() || row.Run != o.run {
		r.withdraw(o, at.Boot, "closed", reasonClosed)
		return
	}
	r.learn(o, at, *row)
	o.confirmed = o.confirmed || !o.unsettled && o.askedAt != 0 && o.askedAt <= at.Boot
}

// horizon is as far as a backstop is looked ahead: a row may name a year that no clock of ours can count to.
const horizon = 100 * 365 * 24 * time.Hour

// learn takes in what an open row says about the job that o owns under that row's run.
func (r *Registry) learn(o *ownership, at watchdog.Instant, row watchdog.Job) {
	o.known = true
	o.guarded = o.guarded || r.cfg.Rules.Guards(row.Stage)
	if backstop := r.cfg.Rules.Backstop(row); !backstop.IsZero() {
		o.noHold = at.Boot + min(backstop.Sub(at.Rows), horizon)
	}
	if row.Stage != "" && row.Stage != o.stage {
		r.restage(o, row.Stage)
	}
}

func (r *Registry) restage(o *ownership, stage string) {
	if o.role != watchdog.Finalizer {
		o.stage = stage
		return
	}
	r.order.remove(o)
	o.stage = stage
	r.order.add(o)
}

// newestOf is the run that counts of a job among rows; the empty one when the job is not open.
func newestOf(job watchdog.JobID, rows []watchdog.Job) (newest watchdog.RunID) {
	for _, row := range rows {
		if row.ID == job && row.Open() {
			newest = row.Run
		}
	}
	return newest
}

// Owned returns the jobs that are owned, for the comparison with the database.
func (r *Registry) Owned() []watchdog.JobID {
	r.mu.Lock()
	defer r.mu.Unlock()
	jobs := make([]watchdog.JobID, 0, len(r.tokens))
	for _, o := range r.tokens {
		jobs = append(jobs, o.entry.job)
	}
	return jobs
}

// Owns reports whether anybody owns the job.
func (r *Registry) Owns(job watchdog.JobID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.owners(job)) > 0
}

// owners are the job's finalizer and its worker, as far as there are any.
func (r *Registry) owners(job watchdog.JobID) []*ownership {
	var owners []*ownership
	if e := r.jobs[job]; e != nil {
		for _, o := range e.slots {
			if o != nil {
				owners = append(owners, o)
			}
		}
	}
	return owners
}
