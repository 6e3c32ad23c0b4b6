package simulation

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/client"
)

// finalizer is one finalization of one run, by the real client.
type finalizer struct {
	*life
	job   watchdog.JobID
	run   watchdog.RunID
	owned *client.Ownership
	plan  finalizerPlan
}

// finalize does what the plan says, unless its process dies.
func (w *world) finalize(id watchdog.JobID, run watchdog.RunID, which string, process int, p finalizerPlan) {
	l := w.process(process)
	if l == nil {
		return
	}
	l.gate.wait()
	key := string(run) + " " + which + " " + l.name
	o, err := l.client.Mark(l.ctx, client.Job{ID: string(id), Run: string(run), Key: key, Stage: guarded})
	if err != nil {
		return
	}
	f := &finalizer{life: l, job: id, run: run, owned: o, plan: p}
	for _, r := range p.rounds {
		if !f.step(r) {
			return
		}
	}
	if p.ending == forgets {
		return
	}
	if p.ending == finalizes {
		w.db.update("finalizer", id, 0, f.close)
	}
	if !f.alive() {
		return
	}
	w.mu.Lock()
	w.witness.letsGo(f.job, key)
	w.mu.Unlock()
	if p.ending == exits {
		w.group.Go(o.Clear)
		w.sleep(time.Microsecond) // it is on its way
		l.die(0, false)
		w.revive(process%processes, poll)
		return
	}
	o.Clear()
}

// alive waits while the process is stopped, and is false when it is dead.
func (f *finalizer) alive() bool {
	f.gate.wait()
	return !f.dead.Load()
}

// step is one round; false when the finalizer has to stop.
func (f *finalizer) step(r round) bool {
	if r.budget != 0 {
		f.owned.Step("step", r.budget)
	}
	if !f.wait(r.think) {
		return false
	}
	if r.moves {
		f.w.db.update("finalizer", f.job, 0, func(j *watchdog.Job) bool {
			j.Stage = unguarded
			return j.Open() && j.Run == f.run
		})
	}
	if !r.check {
		return !f.owned.Revoked()
	}
	a := f.owned.Check(f.ctx)
	if !f.alive() {
		return false
	}
	switch {
	case a.State == client.OK:
		f.act(a, r.act)
		return f.alive()
	case a.State == client.Unknown && f.plan.stubborn:
		return true
	}
	return a.Proceed(client.UnlessInDoubt)
}

// act does what must be done alone, as long as the hold lets it.
func (f *finalizer) act(a client.Answer, most time.Duration) {
	until := f.w.boot() + most
	for f.alive() {
		left := a.Remaining()
		f.w.mu.Lock()
		now := f.w.now()
		if left > 0 {
			f.w.witness.acts(f, now+left)
		}
		f.w.mu.Unlock()
		if left == 0 || now >= until || !f.w.sleep(min(left, 300*time.Millisecond)) {
			return
		}
	}
}

// wait is work that takes time; false when the process died meanwhile.
func (f *finalizer) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return f.alive()
	case <-f.ctx.Done():
		return false
	}
}

// close makes the job done, if it still is the run's.
func (f *finalizer) close(j *watchdog.Job) bool {
	if !j.Open() || j.Run != f.run || f.dead.Load() {
		return false
	}
	j.Status = watchdog.StatusDone
	return true
}
