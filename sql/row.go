package sql

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// row is one row of a statement: its values by column, as the driver gave them.
type row struct {
	values map[string]any
	faults []string // what could not be read
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
	if r.values[column] == nil {
		r.faults = append(r.faults, fmt.Sprintf("%s: it is NULL", column))
	}
	return r.text(column)
}

func (r *row) text(column string) string {
	switch v := r.values[column].(type) {
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
	v := r.values[column]
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
	switch v := r.values[column].(type) {
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
	value := fmt.Sprint(r.values[column])
	if text, ok := r.values[column].([]byte); ok {
		value = string(text)
	}
	if len(value) > 64 {
		value = value[:64] + "…"
	}
	r.faults = append(r.faults, fmt.Sprintf("%s: %q is no %s", column, value, kind))
}
