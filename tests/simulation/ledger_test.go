package simulation

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// deed is what a finalizer did because it believed to be alone, and until when it believes so.
type deed struct {
	job     watchdog.JobID
	run     watchdog.RunID
	by      *life
	believe time.Duration
}

// acts takes in a deed. Nobody else may believe the same of that job, its row must not be taken away meanwhile,
// and the belief must not outlast what the watchdog promised.
func (t *witness) acts(f *finalizer, believes time.Duration) {
	w, now := t.w, t.w.now()
	w.note("%s acts on job %s, run %s, alone until %v", f.name, f.job, f.run, believes-time.Hour)
	if r, ok := t.reaped[execution{f.job, f.run}]; ok {
		w.blame("what is done inside a hold is done alone", "%s acts on job %s, run %s, which was reaped at %v", f.name, f.job, f.run, r.at-time.Hour)
	}
	for _, d := range t.ledger[f.job] {
		if d.by != f.life && now < d.believe && !t.letGoOf(d) {
			w.blame("what is done inside a hold is done alone", "%s acts on job %s, and %s believes to be alone until %v", f.name, f.job, d.by.name, d.believe-time.Hour)
		}
	}
	if promised := t.promisedUntil(f); believes > promised {
		w.blame("a holder counts from when it sent the check", "%s believes to be alone with job %s until %v, and was promised until %v", f.name, f.job, believes-time.Hour, promised-time.Hour)
	}
	t.ledger[f.job] = append(t.ledger[f.job], deed{f.job, f.run, f.life, believes})
}

// promisedUntil is the end of the longest promise that was made to the finalizer's process for its run.
func (t *witness) promisedUntil(f *finalizer) time.Duration {
	var until time.Duration
	for _, p := range t.promises[f.job] {
		if p.run == f.run && p.holder == f.life {
			until = max(until, p.until)
		}
	}
	return until
}

// letGoOf reports whether who did the deed has let go of the job since.
func (t *witness) letGoOf(d deed) bool {
	for _, p := range t.promises[d.job] {
		if p.run == d.run && p.holder == d.by && p.over != 0 {
			return true
		}
	}
	return false
}
