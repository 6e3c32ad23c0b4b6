package simulation

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/liveness"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

// incarnation is one process of the watchdog, from its start to its death: the product's parts as
// cmd/watchdog puts them together, over the simulator's database and connections.
type incarnation struct {
	w        *world
	n        int
	name     string
	file     string // of its state
	state    *liveness.State
	registry *liveness.Registry
	reaper   *reaper.Reaper
	enabled  *atomic.Bool
	arrivals chan liveness.Arrival
	stop     context.CancelFunc
	ended    chan struct{} // closed when all its goroutines have returned
	gate     *gate
	dead     atomic.Bool
	strike   atomic.Pointer[strike]

	// Guarded by the world's mutex.
	open     map[*tx]struct{}
	ends     []*end                // of its connections
	began    time.Duration         // boot clock
	resumed  time.Duration         // after it was last stopped; began, if it never was
	stilled  time.Duration         // when it was last stopped
	passed   time.Duration         // when it first read what is due; 0: not yet
	instants map[attempt]time.Time // of the rows' clock, by which it changed rows
}

// strike is a kill that waits for its effect.
type strike struct {
	effect string // empty: any
	after  bool
	count  atomic.Int64 // so many are let pass
	damage int          // to the state file
	then   func()       // what is done once it is dead
}

// roomy is how many ownerships the watchdog bears: more than a world has at once, and few enough to be counted out.
const roomy = 60

// start starts the watchdog, over the state file that the last one left.
func (w *world) start() error {
	w.mu.Lock()
	n := w.started
	w.started++
	i := &incarnation{w: w, n: n, name: fmt.Sprintf("%c", 'A'+n%26), file: w.stateFile(n), gate: newGate(), ended: make(chan struct{}),
		enabled: new(atomic.Bool), arrivals: make(chan liveness.Arrival, 64), open: make(map[*tx]struct{}), instants: make(map[attempt]time.Time), began: w.now(), resumed: w.now()}
	i.enabled.Store(true)
	w.enabled, w.switched = true, w.now()
	wall := time.Unix(int64(w.draw("wall")%2*w.draw("wall year")%2_000_000_000), 0) // whatever the host believes
	w.mu.Unlock()

	state, found, err := liveness.OpenState(i.file, "boot", i.began, wall)
	if err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler)
	policy := w.settings.policy
	i.state = state
	i.registry = liveness.NewRegistry(liveness.Config{
		Lease: w.settings.lease, Hold: w.settings.hold, Grace: policy.LongestGrace(), Rules: &policy,
		Limits:  liveness.Limits{PerSession: roomy, Total: roomy, Remembered: 50},
		Enabled: i.enabled.Load, Observer: nobody{},
	}, found.Bound, state.Bound())
	i.registry.Restore(found.Holds, found.HeldUntil(i.began, w.settings.hold))
	i.reaper = reaper.New(reaper.Options{
		Policy: policy, Interval: w.settings.interval, Warmup: w.settings.warmup, DryRun: w.settings.dryRun,
		Liveness: i.enabled, Store: store{w.db, i}, Owners: i.registry, Observer: nobody{}, Boot: i.boot,
		DatabaseClock: w.settings.databaseClock, Log: quiet, Audit: slog.New(&auditor{i}),
	})
	server := &liveness.Server{Registry: i.registry, State: state, Rows: i.reaper, Controls: i, Boot: i.boot,
		Connections: 100, Log: quiet, Audit: quiet}

	ctx, stop := context.WithCancel(context.Background())
	i.stop = stop
	w.mu.Lock()
	w.watchdog = i
	w.incarnations = append(w.incarnations, i)
	w.note("the watchdog starts as %s", i.name)
	w.mu.Unlock()
	reaping := make(chan struct{})
	go func() { defer close(reaping); _ = i.reaper.Run(ctx) }()
	go func() {
		defer close(i.ended)
		_ = server.Serve(ctx, i.arrivals)
		<-reaping
		_ = state.Close()
	}()
	return nil
}

// boot is the boot clock for an incarnation, which waits here while it is stopped.
func (i *incarnation) boot() time.Duration {
	i.gate.wait()
	return i.w.boot()
}

func (w *world) stateFile(n int) string { return filepath.Join(w.folder, fmt.Sprintf("state-%d", n)) }

// before is called ahead of each effect that the incarnation has on the world. A dead one has none.
func (i *incarnation) before(op string) error {
	i.gate.wait()
	i.struck(op, false)
	if i.dead.Load() {
		return errKilled
	}
	return nil
}

// afterwards is called behind each effect.
func (i *incarnation) afterwards(op string) error {
	i.gate.wait()
	i.struck(op, true)
	if i.dead.Load() {
		return errKilled
	}
	return nil
}

func (i *incarnation) struck(op string, after bool) {
	s := i.strike.Load()
	if s == nil || s.after != after || s.effect != "" && s.effect != op || s.count.Add(-1) >= 0 {
		return
	}
	if i.strike.CompareAndSwap(s, nil) {
		i.w.mu.Lock()
		i.w.note("%s is killed, after=%t %s", i.name, after, op)
		i.w.mu.Unlock()
		i.kill(s.damage)
		s.then()
	}
}

// kill ends the incarnation as SIGKILL does: what it has sent can be read, its descriptors are closed, and of what
// it was about to do nothing happens. It is called by whoever has an effect, so it waits for nobody. Damage says
// what becomes of the state file.
func (i *incarnation) kill(damage int) {
	if i.dead.Swap(true) {
		return
	}
	w := i.w
	w.mu.Lock()
	w.note("%s is dead, damage %d", i.name, damage)
	if err := bequeath(i.file, w.stateFile(i.n+1), damage); err != nil {
		w.blame("simulator", "copy state file: %v", err)
	}
	if w.watchdog == i {
		w.watchdog = nil
	}
	ends, left := i.ends, i.open
	w.witness.damaged = w.witness.damaged || damage > 1
	w.mu.Unlock()
	for _, e := range ends {
		e.Close()
	}
	w.group.Go(func() { // the database finds out
		w.sleep(50 * time.Millisecond)
		w.mu.Lock()
		open := make([]*tx, 0, len(left))
		for x := range left {
			open = append(open, x)
		}
		w.mu.Unlock()
		for _, x := range open {
			x.undo()
		}
	})
	i.gate.set(false)
	i.stop()
}

// bequeath gives the next incarnation a state file of its own, so that what the dead one still writes goes nowhere.
// Damage 1 is a line that was being written, 2 one that cannot be read.
func bequeath(from, to string, damage int) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	switch damage {
	case 1:
		text = append(text, `{"job":"1","tok`...)
	case 2:
		lines := bytes.SplitAfter(text, []byte("\n"))
		lines = slices.Insert(lines, min(1, len(lines)), []byte("\x00\n"))
		text = bytes.Join(lines, nil)
	}
	return os.WriteFile(to, text, 0o600)
}

// Describe, Switch and ReleaseBrake are what the socket can ask of the program.
func (i *incarnation) Describe() []byte          { return nil }
func (i *incarnation) Switch(on bool, by string) { i.reaper.Switch(on, by) }
func (i *incarnation) ReleaseBrake(by string)    { i.reaper.ReleaseBrake(by) }

// nobody observes.
type nobody struct{}

func (nobody) Marked(string)                                        {}
func (nobody) Checked(string)                                       {}
func (nobody) Released(string, string, time.Duration)               {}
func (nobody) FalseReap(watchdog.Tier)                              {}
func (nobody) Deferred(watchdog.Reason)                             {}
func (nobody) Reaped(watchdog.Tier, watchdog.Reason, time.Duration) {}
func (nobody) WouldReap(watchdog.Tier, watchdog.Reason)             {}
func (nobody) LostRace(watchdog.Tier)                               {}
func (nobody) Failed(string)                                        {}
func (nobody) PassDone(time.Duration, bool)                         {}

// auditor has the audit lines stand in the story.
type auditor struct{ by *incarnation }

func (a *auditor) Enabled(context.Context, slog.Level) bool { return true }
func (a *auditor) WithAttrs([]slog.Attr) slog.Handler       { return a }
func (a *auditor) WithGroup(string) slog.Handler            { return a }
func (a *auditor) Handle(_ context.Context, r slog.Record) error {
	w := a.by.w
	w.mu.Lock()
	defer w.mu.Unlock()
	text := ""
	r.Attrs(func(attr slog.Attr) bool { text += " " + attr.String(); return true })
	w.note("%s audits: %s%s", a.by.name, r.Message, text)
	return nil
}
