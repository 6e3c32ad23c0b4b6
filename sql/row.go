package sql

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// row is one row of a statement: its values as the driver gave them, good until the next is read.
type row struct {
	columns map[string]int // where the value of each stands
	values  []any
	faults  []string // what could not be read
}

func (r *row) value(column string) any {
	if i, ok := r.columns[column]; ok {
		return r.values[i]
	}
	return nil
}

// reader returns what reads a statement's rows, one into the place of the other: a map for each costs more than the
// rest of the reading. Each row must have the columns that the statement is known to give.
func (s statement) reader(rows *sqlx.Rows) (func() (*row, error), error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	r := &row{columns: make(map[string]int, len(names)), values: make([]any, len(names))}
	into := make([]any, len(names))
	for i, name := range names {
		r.columns[name], into[i] = i, &r.values[i]
	}
	for _, column := range s.gives {
		if _, ok := r.columns[column]; !ok {
			return nil, fmt.Errorf("statement %s (%s) gives no column %q", s.name, s.origin, column)
		}
	}
	return func() (*row, error) {
		r.faults = nil
		return r, rows.Scan(into...)
	}, nil
}

// job reads a job's columns. The statement is known to give all of them.
func (r *row) job() watchdog.Job {
	j := watchdog.Job{
		ID:           watchdog.JobID(r.required("job")),
		Run:          watchdog.RunID(r.text("run")),
		Task:         r.text("task"),
		Stage:        r.text("stage"),
		Status:       r.required("status"),
		Version:      r.required("version"),
		CreatedAt:    r.time("created_at"),
		StartedAt:    r.time("started_at"),
		RunStartedAt: r.time("run_started_at"),
		FinishedAt:   r.time("finished_at"),
		ExitCode:     r.integer("exit_code"),
		PID:          r.integer("pid"),
	}
	if attempt := r.integer("attempt"); attempt != nil {
		j.Attempt = *attempt
	}
	j.Unreadable = strings.Join(r.faults, "; ")
	return j
}

// required is the text of a column that must have one.
func (r *row) required(column string) string {
	if r.value(column) == nil {
		r.faults = append(r.faults, fmt.Sprintf("%s: it is NULL", column))
	}
	return r.text(column)
}

func (r *row) text(column string) string {
	switch v := r.value(column).(type) {
	case nil:
		return ""
	case string:
		return strings.ToValidUTF8(v, "\uFFFD")
	case []byte:
		return strings.ToValidUTF8(string(v), "\uFFFD")
	default:
		return fmt.Sprint(v)
	}
}

func (r *row) time(column string) time.Time {
	v := r.value(column)
	if v == nil {
		return time.Time{}
	}
	if t, ok := v.(time.Time); ok {
		v = seconds(t)
	}
	unix, isNumber := number(v)
	t, isInstant := instant(unix)
	if !isNumber || !isInstant {
		r.unreadable(column, "time")
	}
	return t
}

func (r *row) integer(column string) *int64 {
	switch v := r.value(column).(type) {
	case nil:
		return nil
	case int64:
		return &v
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return &n
		}
		r.unreadable(column, "integer")
		return nil
	default:
		f, ok := number(v)
		if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			r.unreadable(column, "integer")
			return nil
		}
		return new(int64(f))
	}
}

// number is what a driver gave for a number: PostgreSQL's NUMERIC comes as bytes. Text is no number, however it
// looks: the statement that gave it could not read it as an instant.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case []byte:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil
	}
	return 0, false
}

// unreadable notes a value that is none of its kind. What it shows of the value is short.
func (r *row) unreadable(column, kind string) {
	value := fmt.Sprint(r.value(column))
	if text, ok := r.value(column).([]byte); ok {
		value = string(text)
	}
	if len(value) > 64 {
		value = value[:64] + "…"
	}
	r.faults = append(r.faults, fmt.Sprintf("%s: %q is no %s", column, value, kind))
}
