package reaper_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

var errDown = errors.New("connection refused")

// store is a database in memory. Every change of a row gives it another version.
type store struct {
	mu    sync.Mutex
	ids   []watchdog.JobID // ordered
	rows  map[watchdog.JobID]watchdog.Job
	calls map[string]int
	trace []string      // begin, lock 1, requeue 1, commit, and what the owners add
	reaps []requeued    // that took place
	open  int           // transactions that are not over
	most  int           // jobs asked for at once by their ids
	ahead time.Duration // of the database's clock before the host's
	boot  func() time.Duration
	// before is called ahead of each operation, outside of the lock; an error is the operation's.
	before func(op string, id watchdog.JobID) error
	// after is called behind a commit that took place; an error is a reply that was lost.
	after func() error
}

type requeued struct {
	id      watchdog.JobID
	version string
	status  string
	at      time.Duration
}

func newStore(boot func() time.Duration) *store {
	return &store{rows: make(map[watchdog.JobID]watchdog.Job), calls: make(map[string]int), boot: boot}
}

func (s *store) call(op string, id watchdog.JobID) error {
	s.note(op, id)
	s.mu.Lock()
	before := s.before
	s.calls[op]++
	s.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(op, id)
}

func (s *store) note(op string, ids ...watchdog.JobID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		op += " " + string(id)
	}
	s.trace = append(s.trace, strings.TrimSpace(op))
}

// since returns the trace since it was last called.
func (s *store) since() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	trace := s.trace
	s.trace = nil
	return trace
}

// fault has every operation answered by fail from now on; nil: none.
func (s *store) fault(fail func(op string, id watchdog.JobID) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = fail
}

// failing is a fault of one operation.
func failing(op string) func(string, watchdog.JobID) error {
	return func(at string, _ watchdog.JobID) error {
		if at == op {
			return errDown
		}
		return nil
	}
}

// put adds a job, or changes it.
func (s *store) put(j watchdog.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(j)
}

func (s *store) write(j watchdog.Job) {
	if old, known := s.rows[j.ID]; known {
		n, _ := strconv.Atoi(old.Version)
		j.Version = strconv.Itoa(n + 1)
	} else {
		j.Version = "1"
		at, _ := slices.BinarySearch(s.ids, j.ID)
		s.ids = slices.Insert(s.ids, at, j.ID)
	}
	s.rows[j.ID] = j
}

func (s *store) get(id watchdog.JobID) watchdog.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows[id]
}

// count is how often all operations but those of the trace's owners were called.
func (s *store) count() (all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.calls {
		all += n
	}
	return all
}

func (s *store) called(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

func (s *store) page(after watchdog.JobID, limit int, is func(watchdog.Job) bool) []watchdog.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	var jobs []watchdog.Job
	from, _ := slices.BinarySearch(s.ids, after+"\x00")
	for _, id := range s.ids[from:] {
		if j := s.rows[id]; j.Open() && is(j) && len(jobs) < limit {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

func (s *store) Due(_ context.Context, now time.Time, grace, ceiling time.Duration, after watchdog.JobID, limit int) ([]watchdog.Job, error) {
	if err := s.call("due", ""); err != nil {
		return nil, err
	}
	return s.page(after, limit, func(j watchdog.Job) bool {
		return j.Finished() && now.Sub(j.FinishedAt) >= grace || now.Sub(j.Began()) >= ceiling
	}), nil
}

func (s *store) OpenJobs(_ context.Context, _ time.Time, after watchdog.JobID, limit int) ([]watchdog.Job, error) {
	if err := s.call("open", ""); err != nil {
		return nil, err
	}
	return s.page(after, limit, func(watchdog.Job) bool { return true }), nil
}

func (s *store) Jobs(_ context.Context, _ time.Time, ids []watchdog.JobID) ([]watchdog.Job, error) {
	s.mu.Lock()
	s.most = max(s.most, len(ids))
	s.mu.Unlock()
	if err := s.call("jobs", ""); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var jobs []watchdog.Job
	for _, id := range ids {
		if j, ok := s.rows[id]; ok {
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

func (s *store) Counts(context.Context) (map[string]int, error) {
	if err := s.call("counts", ""); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int)
	for _, j := range s.rows {
		counts[j.Status]++
	}
	return counts, nil
}

func (s *store) Now(context.Context) (time.Time, error) {
	if err := s.call("now", ""); err != nil {
		return time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.ahead), nil
}

func (s *store) Begin(ctx context.Context) (reaper.Tx, error) {
	if err := errors.Join(s.call("begin", ""), ctx.Err()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	return &tx{store: s, staged: make(map[watchdog.JobID]watchdog.Job)}, nil
}

// tx sees what it wrote, and others see it when it has committed.
type tx struct {
	store  *store
	staged map[watchdog.JobID]watchdog.Job
}

func (x *tx) Lock(ctx context.Context, id watchdog.JobID) (watchdog.Job, error) {
	if err := errors.Join(x.store.call("lock", id), ctx.Err()); err != nil {
		return watchdog.Job{}, err
	}
	j := x.store.get(id)
	if j.ID == "" {
		return j, watchdog.ErrNoJob
	}
	return j, nil
}

func (x *tx) Requeue(_ context.Context, _ time.Time, id watchdog.JobID, version string) (bool, error) {
	return x.write("requeue", watchdog.StatusQueued, id, version)
}

func (x *tx) Fail(_ context.Context, _ time.Time, id watchdog.JobID, version string) (bool, error) {
	return x.write("fail", watchdog.StatusFailed, id, version)
}

func (x *tx) write(op, status string, id watchdog.JobID, version string) (bool, error) {
	if err := x.store.call(op, id); err != nil {
		return false, err
	}
	j := x.store.get(id)
	if !j.Open() || j.Version != version {
		return false, nil
	}
	j.Status = status
	x.staged[id] = j
	return true, nil
}

func (x *tx) Commit(context.Context) error {
	defer x.over()
	if err := x.store.call("commit", ""); err != nil {
		return err
	}
	s := x.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(x.staged)) {
		j := x.staged[id]
		s.reaps = append(s.reaps, requeued{id, j.Version, j.Status, s.boot()})
		s.write(j)
	}
	if s.after != nil {
		return s.after()
	}
	return nil
}

func (x *tx) Rollback() error {
	defer x.over()
	return x.store.call("rollback", "")
}

func (x *tx) over() {
	x.store.mu.Lock()
	defer x.store.mu.Unlock()
	x.store.open--
}
