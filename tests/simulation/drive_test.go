package simulation

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
)

// live lets the plan happen in a world of its own and returns the world when it is over.
func live(t *testing.T, p *plan) *world {
	folder, err := os.MkdirTemp(memory(), "watchdog-simulation-")
	require.NoError(t, err)
	defer os.RemoveAll(folder)
	var w *world
	synctest.Test(t, func(*testing.T) {
		w = newWorld(p, folder)
		w.play()
	})
	return w
}

// memory is a file system in memory, where there is one: the state files are synced to it.
func memory() string {
	const shared = "/dev/shm"
	if _, err := os.Stat(shared); err != nil {
		return os.TempDir()
	}
	return shared
}

// play is the whole life of the world.
func (w *world) play() {
	defer w.end()
	w.mu.Lock()
	for n := range processes {
		w.lives[n] = w.begin(fmt.Sprintf("p%d", n), honest, true)
	}
	w.mu.Unlock()
	if err := w.start(); err != nil {
		w.blameNow("simulator", "%v", err)
		return
	}
	for _, j := range w.jobs {
		w.group.Go(func() { w.orchestrate(j) })
	}
	faults := slices.Clone(w.faults)
	slices.SortStableFunc(faults, func(a, b fault) int { return int(a.at - b.at) })
	for n, f := range faults {
		if !w.watch(f.at - time.Since(w.began)) {
			return
		}
		w.befall(f, n)
	}
	w.watch(w.settings.horizon() - time.Since(w.began))
	w.drain()
}

// watch lets time pass, and the witness look now and then. It is false when the world is over.
func (w *world) watch(d time.Duration) bool {
	for until := time.Now().Add(d); time.Now().Before(until); {
		if !w.sleep(min(time.Until(until), time.Second)) {
			return false
		}
		w.mu.Lock()
		w.witness.look()
		done := w.settled()
		w.mu.Unlock()
		if done {
			break
		}
	}
	return w.ctx.Err() == nil
}

// settled reports whether every job of the plan has come to its end.
func (w *world) settled() bool {
	closed := 0
	for _, r := range w.db.rows {
		if r.Status == watchdog.StatusDone || r.Status == watchdog.StatusFailed {
			closed++
		}
	}
	return closed == len(w.jobs)
}

// befall makes one fault come true.
func (w *world) befall(f fault, n int) {
	w.mu.Lock()
	w.note("fault: %v", f)
	i, l := w.watchdog, w.lives[f.which%processes]
	w.mu.Unlock()
	switch f.kind {
	case "kill":
		w.aim(f, i)
	case "freeze":
		if i != nil {
			if f.after { // just when somebody is about to connect again
				w.cut(l)
				w.sleep(time.Millisecond / 2)
			}
			i.stilled = w.now()
			w.stop(i.gate, f.lasts, func() { i.resumed = w.now() })
		}
	case "pause":
		w.stop(l.gate, f.lasts, func() { l.free = w.now() })
	case "die":
		l.die([]time.Duration{0, time.Millisecond, 300 * time.Millisecond, 2 * time.Second}[f.variant], f.after)
		w.revive(f.which%processes, f.lasts)
	case "cut":
		if f.after { // and it does not come back at once
			w.stop(l.gate, f.lasts, func() { l.free = w.now() })
		}
		w.cut(l)
	case "lies":
		w.group.Go(func() { w.lie(f, n) })
	case "suspend":
		w.suspend(f.lasts)
	default:
		w.trouble(f)
	}
}

// revive starts a process again after a while, if it is dead by then.
func (w *world) revive(n int, after time.Duration) {
	w.later(after, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.lives[n].dead.Load() && !w.ending {
			w.lives[n] = w.begin(fmt.Sprintf("p%d'%d", n, len(w.everyone)), honest, true)
		}
	})
}

// trouble is a fault of the database, or of those who write to it.
func (w *world) trouble(f fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	switch f.kind {
	case "failing", "slow", "hanging":
		w.db.trouble = trouble{f.kind, now + f.lasts, []uint64{100, 100, 50, 20}[f.variant]}
		w.db.healthy = max(w.db.healthy, now+f.lasts)
	case "commits":
		w.db.commits = append(w.db.commits, []string{"lost", "lost", "refused", "late"}[f.variant])
		w.db.healthy = max(w.db.healthy, now+w.settings.horizon())
	case "step":
		if w.settings.databaseClock {
			by := f.lasts
			if f.after {
				by = -by
			}
			w.db.step += by
			stopped := w.watchdog != nil && w.watchdog.gate.stopped()
			alone := w.db.moved == 0 || now-w.db.moved > 10*w.settings.statement
			w.db.steps, w.db.moved, w.db.stepped = true, now, 0
			// Two may cancel each other out, and what the clock said is known to a statement's time.
			if by.Abs() > w.settings.policy.Grace/2+w.settings.statement && alone && !stopped {
				w.db.stepped = now
			}
			w.note("the rows' clock moves by %v", by)
		}
	case "switch":
		w.flick(false)
		w.later(f.lasts, func() { w.mu.Lock(); defer w.mu.Unlock(); w.flick(true) })
	case "takeover", "lock":
		id := watchdog.JobID(fmt.Sprint(f.which + 1))
		if f.kind == "takeover" {
			w.group.Go(func() { w.takeover(id, f.lasts) })
		} else {
			w.group.Go(func() { w.db.update("operator", id, f.lasts, func(*watchdog.Job) bool { return false }) })
		}
	}
}

// flick turns the kill switch. The caller holds mu.
func (w *world) flick(on bool) {
	if i := w.watchdog; i != nil {
		w.enabled, w.switched = on, w.now()
		w.note("the switch is turned, on=%t", on)
		w.group.Go(func() {
			i.reaper.Switch(on, "operator")
			if on {
				i.registry.Recall()
			}
		})
	}
}

// aim has the watchdog killed at one of its effects, and started again some time later.
func (w *world) aim(f fault, i *incarnation) {
	if i == nil {
		return
	}
	s := &strike{effect: f.effect, after: f.after, then: func() {
		w.later(f.lasts, func() {
			if err := w.start(); err != nil {
				w.blameNow("simulator", "%v", err)
			}
		})
	}, damage: map[int]int{2: 1, 3: 2}[f.variant]}
	s.count.Store(int64(f.which))
	i.strike.Store(s)
}

// stop stops a party for a while.
func (w *world) stop(g *gate, lasts time.Duration, resumed func()) {
	g.set(true)
	w.later(lasts, func() {
		w.mu.Lock()
		if g.stopped() {
			resumed()
			w.note("somebody goes on after %v", lasts)
		}
		w.mu.Unlock()
		g.set(false)
	})
}

// cut ends the connections of a process, which lives.
func (w *world) cut(l *life) {
	w.mu.Lock()
	l.free = w.now()
	ends := l.ends
	l.ends = nil
	for _, c := range l.wires {
		if c.ended == 0 {
			c.ended = w.now()
		}
	}
	w.mu.Unlock()
	for _, e := range ends {
		e.Close()
	}
}

// suspend stops the machine. Timers stand still, the clocks do not.
func (w *world) suspend(d time.Duration) {
	if !w.settings.databaseClock {
		return // the host's own clock would have to jump
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	began := w.now()
	w.asleep += d
	w.db.healthy = max(w.db.healthy, w.now())
	for _, l := range w.lives {
		l.free = w.now()
	}
	if w.watchdog != nil {
		w.watchdog.stilled, w.watchdog.resumed = began, w.now()
	}
	w.note("the machine was suspended for %v", d)
}

// later does something after a while, unless the world is over.
func (w *world) later(d time.Duration, do func()) {
	w.group.Go(func() {
		if w.sleep(d) {
			do()
		}
	})
}

func (w *world) blameNow(invariant, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blame(invariant, format, args...)
}
