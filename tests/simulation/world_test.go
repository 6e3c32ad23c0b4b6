package simulation

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// world is one simulated machine: an orchestrator's processes, its database, a watchdog, and a witness that sees
// from outside what they do to one another. Everything but the product is the simulator's.
type world struct {
	*plan
	folder string
	began  time.Time
	ctx    context.Context // ends with the world
	over   context.CancelFunc
	group  sync.WaitGroup // everybody but the product's own goroutines

	mu           sync.Mutex // over all that follows, the database and the witness
	freed        *sync.Cond // a row's lock was given up, or a row changed
	asleep       time.Duration
	trace        []event
	verdict      string // what was seen to be wrong first
	db           *database
	witness      *witness
	lives        [processes]*life // of now
	everyone     []*life
	watchdog     *incarnation // of now; nil while it is down
	started      int
	incarnations []*incarnation
	enabled      bool          // the kill switch, as last set
	switched     time.Duration // when
	draining     bool          // all faults are over
	ending       bool          // nobody is born any more
	draws        map[string]uint64
}

// event is one line of what happened. It is formatted only if somebody is to read it.
type event struct {
	at     time.Duration
	format string
	args   []any
}

func newWorld(p *plan, folder string) *world {
	w := &world{plan: p, folder: folder, began: time.Now(), enabled: true, draws: make(map[string]uint64)}
	w.ctx, w.over = context.WithCancel(context.Background())
	w.freed = sync.NewCond(&w.mu)
	w.db = &database{w: w, rows: make(map[watchdog.JobID]*row)}
	w.witness = newWitness(w)
	return w
}

// boot is the machine's boot clock. It began an hour before the world did.
func (w *world) boot() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now()
}

// now is boot for who holds mu.
func (w *world) now() time.Duration { return time.Hour + time.Since(w.began) + w.asleep }

// sleep waits, and is false when the world has ended.
func (w *world) sleep(d time.Duration) bool {
	if d <= 0 {
		return w.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.ctx.Done():
		return false
	}
}

// note writes down what happened. The caller holds mu.
func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, event{w.now(), format, args})
}

// blame says that an invariant is broken. Only the first counts: what follows may follow from it. The caller
// holds mu.
func (w *world) blame(invariant, format string, args ...any) {
	text := invariant + ": " + fmt.Sprintf(format, args...)
	w.note("VIOLATED %s", text)
	if w.verdict == "" {
		w.verdict = text
		w.over()
	}
}

// draw is a number that follows from the seed, the name and how often it was drawn before. The caller holds mu.
func (w *world) draw(name string) uint64 {
	n := w.draws[name]
	w.draws[name] = n + 1
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return scatter(w.seed^h, n)
}

// lag is how long one more of these takes: mostly very short, now and then long enough for anything to come
// between. The caller holds mu.
func (w *world) lag(name string, least, most time.Duration) time.Duration {
	x := w.draw(name)
	short := least + time.Duration(x%uint64(9*least))
	if w.settings.hurried || x>>40%8 != 0 {
		return short
	}
	f := float64(x>>20&0xfffff) / 0x100000
	return short + time.Duration(f*f*float64(most))
}

// story is the end of what happened, for people, in at most so many lines.
func (w *world) story(most int) string {
	var b strings.Builder
	for _, e := range w.trace[max(0, len(w.trace)-most):] {
		fmt.Fprintf(&b, "  %10.4fs  %s\n", (e.at - time.Hour).Seconds(), fmt.Sprintf(e.format, e.args...))
	}
	return b.String()
}
