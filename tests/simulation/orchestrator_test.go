package simulation

import (
	"fmt"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/client"
)

// poll is how often the orchestrator looks at its queue.
const poll = 200 * time.Millisecond

// orchestrate sees one job through: it claims it, runs it, starts its finalizers, and claims it again each time
// when it is queued again.
func (w *world) orchestrate(p jobPlan) {
	id := watchdog.JobID(p.id)
	if !w.sleep(p.at) {
		return
	}
	for n := 1; ; n++ {
		run := watchdog.RunID(fmt.Sprintf("%s.%d", p.id, n))
		w.claim(id, run, p.stage)
		r := p.runs[min(n, len(p.runs))-1]
		w.group.Go(func() { w.run(id, run, r) })
		for {
			w.mu.Lock()
			j := w.db.rows[id].Job
			w.mu.Unlock()
			if j.Status == watchdog.StatusQueued {
				break
			}
			if !j.Open() || !w.sleep(poll) {
				return
			}
		}
	}
}

// claim makes the job run. Every claim is an attempt.
func (w *world) claim(id watchdog.JobID, run watchdog.RunID, stage string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.db.stamp()
	j := watchdog.Job{ID: id, Stage: stage, CreatedAt: now}
	if r := w.db.rows[id]; r != nil {
		j = r.Job
	}
	j.Status, j.Run, j.Attempt = watchdog.StatusRunning, run, j.Attempt+1
	j.StartedAt, j.RunStartedAt, j.FinishedAt = now, now, time.Time{}
	w.db.write("orchestrator", j)
}

// run is one run of a job: its agent works, its monitor stamps the end, and finalizers are started.
func (w *world) run(id watchdog.JobID, run watchdog.RunID, p runPlan) {
	if w.isDraining() { // in the end there are only good runs
		p = runPlan{finalizer: finalizerPlan{rounds: []round{{check: true}}}}
	}
	w.group.Go(func() {
		if w.sleep(p.work + p.start) {
			w.finalize(id, run, "first", p.process, p.finalizer)
		}
	})
	if p.rival != 0 {
		w.group.Go(func() {
			if w.sleep(p.work + p.start + p.rival) {
				w.finalize(id, run, "rival", p.process+1, p.finalizer)
			}
		})
	}
	if p.worker && !w.agent(id, run, p) {
		return // its monitor died with it
	} else if !p.worker && !w.sleep(p.work) {
		return
	}
	w.db.update("monitor", id, 0, func(j *watchdog.Job) bool {
		if !j.Open() || j.Run != run || j.Finished() {
			return false
		}
		j.FinishedAt = w.db.stamp()
		return true
	})
}

// agent is a worker that marks itself. It is false when it was killed before the run was over.
func (w *world) agent(id watchdog.JobID, run watchdog.RunID, p runPlan) bool {
	w.mu.Lock()
	l := w.begin("agent-"+string(run), honest, true)
	w.mu.Unlock()
	notice := 20 * time.Millisecond
	o, err := l.client.Mark(l.ctx, client.Job{ID: string(id), Run: string(run), Key: "agent", Stage: guarded, Role: client.Worker})
	if err != nil || !w.sleep(p.work) {
		l.die(notice, false)
		return false
	}
	if !p.dies {
		o.Clear()
	}
	l.die(notice, false)
	return !p.dies
}

// process waits until there is a life of the process, and returns it.
func (w *world) process(n int) *life {
	for {
		w.mu.Lock()
		l := w.lives[n%processes]
		w.mu.Unlock()
		if l != nil && !l.dead.Load() {
			return l
		}
		if !w.sleep(poll) {
			return nil
		}
	}
}

// takeover is an operator who starts a running job again by hand.
func (w *world) takeover(id watchdog.JobID, takes time.Duration) {
	var run watchdog.RunID
	taken := w.db.update("operator", id, takes, func(j *watchdog.Job) bool {
		if !j.Open() {
			return false
		}
		now := w.db.stamp()
		run = j.Run + "+"
		j.Run, j.StartedAt, j.RunStartedAt, j.FinishedAt = run, now, now, time.Time{}
		return true
	})
	if taken {
		w.run(id, run, runPlan{work: takes, finalizer: finalizerPlan{rounds: []round{{think: takes, check: true, act: takes}}}})
	}
}

func (w *world) isDraining() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.draining
}
