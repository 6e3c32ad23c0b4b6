package sql

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// Store reads an orchestrator's jobs. Every call ends within the configured timeout, or little later when the
// database is silent, and may be made from many goroutines at once.
type Store struct {
	source
	db         *sqlx.DB
	statements map[string]statement
}

// Open reads the configuration and the statements; it connects to nothing, so that a database that is away is
// told by the first call.
func Open(cfg Config) (*Store, error) {
	src, err := parse(cfg)
	if err != nil {
		return nil, err
	}
	statements, err := load(orDefault(cfg.Set), src.dialect, cfg.Dir, src.bind)
	if err != nil {
		return nil, err
	}
	src.steady = true
	for _, st := range statements {
		src.steady = src.steady && st.steady
	}
	db, err := src.open()
	if err != nil {
		return nil, err
	}
	return &Store{source: src, db: db, statements: statements}, nil
}

func (s source) open() (*sqlx.DB, error) {
	if s.dialect == sqlite {
		return openSQLite(s)
	}
	return openPostgres(s), nil
}

// bind puts the dialect's placeholders for the named parameters.
func (s source) bind(query string, values any) (string, []any, error) {
	if s.dialect == sqlite {
		return sqlx.BindNamed(sqlx.QUESTION, query, values)
	}
	return sqlx.BindNamed(sqlx.DOLLAR, query, values)
}

// Close ends the store's connections. A call that is in flight ends first.
func (s *Store) Close() error {
	return s.fail("close database", s.db.Close())
}

// Now is the database's instant.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var now time.Time
	rows := 0
	err := s.query(ctx, s.db, "now", nil, func(r *row) error {
		rows++
		if now = r.time("now"); now.IsZero() {
			return fmt.Errorf("%v is no time", r.value("now"))
		}
		return nil
	})
	if err == nil && rows != 1 {
		err = fmt.Errorf("statement now gave %d rows", rows)
	}
	if err != nil {
		return time.Time{}, s.failed(ctx, "read the database's instant", err)
	}
	return now, nil
}

// Due gives at most limit of the running jobs that age alone would reap at the instant now: those whose run
// finished a grace ago, and those that began a ceiling ago. They come in the order of their ids, beginning after
// the given one (empty: with the first).
func (s *Store) Due(ctx context.Context, now time.Time, grace, ceiling time.Duration, after watchdog.JobID, limit int) ([]watchdog.Job, error) {
	if !storable(string(after)) {
		return nil, nil
	}
	return s.jobs(ctx, "due_jobs", map[string]any{"now": seconds(now), "grace": grace.Seconds(),
		"ceiling": ceiling.Seconds(), "after": string(after), "limit": int64(limit)})
}

// OpenJobs gives at most limit of the jobs that are running or of an unknown status, as Due orders them. It gives
// watchdog.ErrNoJob where no job can have the id after which they begin: no job at all would look like the last page.
func (s *Store) OpenJobs(ctx context.Context, now time.Time, after watchdog.JobID, limit int) ([]watchdog.Job, error) {
	if after != "" && !s.statements["open_jobs"].canName(string(after)) {
		return nil, watchdog.ErrNoJob
	}
	return s.jobs(ctx, "open_jobs", map[string]any{"now": seconds(now), "after": string(after), "limit": int64(limit)})
}

// Jobs gives the named jobs, open or not, in no order. An id that names no job is passed over.
func (s *Store) Jobs(ctx context.Context, now time.Time, ids []watchdog.JobID) ([]watchdog.Job, error) {
	list := jobList(ids)
	if list == "" {
		return nil, nil
	}
	return s.jobs(ctx, "jobs", map[string]any{"now": seconds(now), "jobs": list})
}

// Counts gives the number of jobs by status, of those statuses that the set counts: the orchestrator's set
// counts no job that is done or failed. A job without a status counts as "unknown".
func (s *Store) Counts(ctx context.Context) (map[string]int, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	counts := map[string]int{}
	err := s.query(ctx, s.db, "counts", nil, func(r *row) error {
		status := r.text("status")
		if r.value("status") == nil {
			status = "unknown"
		}
		n := r.integer("count")
		if n == nil {
			return fmt.Errorf("%v is no number", r.value("count"))
		}
		counts[status] += int(*n)
		return nil
	})
	if err != nil {
		return nil, s.failed(ctx, "count jobs", err)
	}
	return counts, nil
}

func (s *Store) jobs(ctx context.Context, name string, values map[string]any) ([]watchdog.Job, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var jobs []watchdog.Job
	err := s.query(ctx, s.db, name, values, func(r *row) error {
		jobs = append(jobs, r.job())
		return nil
	})
	if err != nil {
		return nil, s.failed(ctx, "read "+strings.ReplaceAll(name, "_", " "), err)
	}
	return jobs, nil
}

// query runs a statement that gives rows, and hands on each.
func (s *Store) query(ctx context.Context, on sqlx.QueryerContext, name string, values map[string]any, each func(*row) error) error {
	st := s.statements[name]
	found, err := on.QueryxContext(st.context(ctx), st.query, st.args(values)...)
	if err != nil {
		return err
	}
	defer func() { _ = found.Close() }()
	read, err := st.reader(found)
	if err != nil {
		return err
	}
	for found.Next() {
		r, err := read()
		if err != nil {
			return err
		}
		if err := each(r); err != nil {
			return err
		}
	}
	return found.Err()
}

// canName reports whether the text can be an id at all. The orchestrator's set has integers; what the statements of
// one's own have for ids is not known here.
func (s statement) canName(text string) bool {
	if s.origin != originOf(defaultSet) {
		return storable(text)
	}
	id, err := strconv.ParseInt(text, 10, 64)
	return err == nil && strconv.FormatInt(id, 10) == text
}

// storable reports whether a text can be in a database at all: PostgreSQL refuses the others with an error, and
// an id that is one names no job.
func storable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsRune(text, 0)
}

// jobList is a JSON array of the ids that can name a job; empty without any.
func jobList(ids []watchdog.JobID) string {
	var list []string
	for _, id := range ids {
		if storable(string(id)) {
			list = append(list, string(id))
		}
	}
	if len(list) == 0 {
		return ""
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic("a list of strings is always JSON: " + err.Error())
	}
	return string(text)
}

func orDefault(set string) string {
	if set == "" {
		return defaultSet
	}
	return set
}
