package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

var (
	errDown   = errors.New("connection refused")
	errKilled = errors.New("the process that asked is dead")
	errLost   = errors.New("the connection ended before the reply")
	errSlow   = errors.New("statement timeout")
)

// database is the orchestrator's: rows with versions and locks, committed reads, a clock of its own, and troubles.
// The world's mutex guards it.
type database struct {
	w       *world
	ids     []watchdog.JobID // ordered
	rows    map[watchdog.JobID]*row
	step    time.Duration // of its clock ahead of the bubble's
	stepped time.Duration // when it was last stepped so far that the watchdog must notice; 0: not last time
	steps   bool          // it ever was
	moved   time.Duration // when it was last stepped, however little
	trouble trouble
	commits []string // what becomes of the next commits: refused, lost, late
	healthy time.Duration
}

// trouble is what is wrong with the database until an instant of the boot clock.
type trouble struct {
	kind  string // failing, slow, hanging
	until time.Duration
	part  uint64 // of a hundred statements so many are touched
}

type row struct {
	watchdog.Job
	locked  any           // the transaction that has it
	touched time.Duration // when it was last unlocked
	history []change
}

// change is one version of a row giving way to the next.
type change struct {
	at       time.Duration
	who      string
	from, to watchdog.Job
}

// clock is the database's. The caller holds the world's mutex.
func (db *database) clock() time.Time { return time.Now().Add(db.step + db.w.asleep) }

// stamp is the clock that stamps the rows: the database's, or the host's.
func (db *database) stamp() time.Time {
	if db.w.settings.databaseClock {
		return db.clock()
	}
	return time.Now()
}

// write commits a new version of a row.
func (db *database) write(who string, j watchdog.Job) {
	r := db.rows[j.ID]
	if r == nil {
		r = &row{}
		db.rows[j.ID] = r
		at, _ := slices.BinarySearch(db.ids, j.ID)
		db.ids = slices.Insert(db.ids, at, j.ID)
	}
	n, _ := strconv.Atoi(r.Version)
	j.Version = strconv.Itoa(n + 1)
	r.history = append(r.history, change{db.w.now(), who, r.Job, j})
	r.Job = j
	db.w.note("%s: job %s is %s under run %s, version %s", who, j.ID, j.Status, j.Run, j.Version)
	db.w.freed.Broadcast()
}

// openUnder reports whether the job was open under the run at some time since the given one.
func (db *database) openUnder(job watchdog.JobID, run watchdog.RunID, since time.Duration) bool {
	r := db.rows[job]
	if r == nil {
		return false
	}
	if r.Open() && r.Run == run {
		return true
	}
	for _, c := range slices.Backward(r.history) {
		if c.at < since {
			return false
		}
		if c.from.Open() && c.from.Run == run {
			return true
		}
	}
	return false
}

// alwaysUnder reports whether the job has been open under the run, in one version, since the given time.
func (db *database) alwaysUnder(job watchdog.JobID, run watchdog.RunID, since time.Duration) bool {
	r := db.rows[job]
	return r != nil && r.Open() && r.Run == run && r.history[len(r.history)-1].at < since
}

// page returns up to limit committed rows that are open and as asked.
func (db *database) page(after watchdog.JobID, limit int, is func(watchdog.Job) bool) []watchdog.Job {
	var jobs []watchdog.Job
	for _, id := range db.ids {
		if j := db.rows[id].Job; id > after && j.Open() && is(j) && len(jobs) < limit {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// lock waits until the row is the transaction's, for as long as a statement may wait. The caller holds the world's
// mutex.
func (db *database) lock(id watchdog.JobID, tx any, most time.Duration) error {
	r := db.rows[id]
	if r == nil {
		return watchdog.ErrNoJob
	}
	until := db.w.now() + most
	timer := time.AfterFunc(most, func() {
		db.w.mu.Lock()
		defer db.w.mu.Unlock()
		db.w.freed.Broadcast()
	})
	defer timer.Stop()
	for r.locked != nil && r.locked != tx {
		if db.w.now() >= until {
			return fmt.Errorf("lock timeout")
		}
		db.w.freed.Wait()
	}
	r.locked = tx
	return nil
}

// unlock gives up all that the transaction has locked.
func (db *database) unlock(tx any) {
	for _, r := range db.rows {
		if r.locked == tx {
			r.locked, r.touched = nil, db.w.now()
		}
	}
	db.w.freed.Broadcast()
}

// update changes a row on the orchestrator's behalf, in a transaction that takes the given time, and reports
// whether there was anything to change. The condition is looked at under the row's lock.
func (db *database) update(who string, id watchdog.JobID, takes time.Duration, change func(*watchdog.Job) bool) bool {
	w := db.w
	tx := new(int)
	w.mu.Lock()
	defer w.mu.Unlock()
	if db.lock(id, tx, time.Hour) != nil {
		return false
	}
	defer db.unlock(tx)
	if takes > 0 {
		w.mu.Unlock()
		w.sleep(takes)
		w.mu.Lock()
	}
	j := db.rows[id].Job
	if !change(&j) {
		return false
	}
	db.write(who, j)
	return true
}

// suffer has a statement take its time, before it does anything and on the way back, or fail.
func (db *database) suffer(ctx context.Context, op string, do func() error) error {
	w := db.w
	w.mu.Lock()
	takes := w.lag("db "+op, 50*time.Microsecond, w.settings.statement/2)
	var err error
	if t := db.trouble; w.now() < t.until && w.draw("trouble")%100 < t.part {
		switch t.kind {
		case "failing":
			err = errDown
		case "slow":
			takes += time.Duration(w.draw("slow") % uint64(2*w.settings.statement))
		case "hanging":
			takes = time.Hour
		}
	}
	there := takes * time.Duration(w.draw("there")%8) / 8
	w.mu.Unlock()
	if takes > w.settings.statement {
		there, takes, err = w.settings.statement, w.settings.statement, errSlow
	}
	if gone := delay(ctx, there); gone != nil || err != nil {
		return errors.Join(gone, err)
	}
	w.mu.Lock()
	err = do()
	w.mu.Unlock()
	if gone := delay(ctx, takes-there); gone != nil {
		return gone
	}
	return err
}

// delay waits, and fails when ctx ends.
func delay(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
