package web

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

const (
	defaultLimit = 1_000
	maxLimit     = 100_000
	partLimit    = 1_000 // jobs read, judged and encoded at once
	maxID        = 128   // bytes, as on the socket
)

// A query is one question to /queue, or for a part of its answer. It is comparable: equal queries have equal answers.
type query struct {
	job   watchdog.JobID // only this one; else empty
	after watchdog.JobID
	limit int
}

// part is the question for the part of the answer that begins after a job, when so many jobs are still wanted.
func (q query) part(after watchdog.JobID, left int) query {
	return query{job: q.job, after: after, limit: min(left, partLimit)}
}

// badQuery is a question that /queue cannot answer. Its message names the field, the value and the rule.
type badQuery struct {
	field, message string
}

func (b badQuery) Error() string { return b.message }

func refused(field, value, rule string) error {
	return badQuery{field, fmt.Sprintf("%s=%q: %s", field, value, rule)}
}

// parseQuery reads the text after a URL's question mark; its error is a badQuery.
func parseQuery(raw string) (query, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return query{}, refused("query", raw, "must be key=value pairs, percent-encoded and joined by &")
	}
	q := query{limit: defaultLimit}
	for _, field := range slices.Sorted(maps.Keys(values)) {
		if len(values[field]) > 1 {
			return query{}, refused(field, strings.Join(values[field], " "), "must be given once")
		}
		if err := q.set(field, values[field][0]); err != nil {
			return query{}, err
		}
	}
	if q.job != "" && len(values) > 1 {
		return query{}, refused("job", string(q.job), "stands alone, without limit and after")
	}
	return q, nil
}

func (q *query) set(field, value string) error {
	switch field {
	case "limit":
		return q.setLimit(value)
	case "after":
		q.after = watchdog.JobID(value)
		return checkID(field, value)
	case "job":
		if value == "" {
			return refused(field, value, "must name a job")
		}
		q.job = watchdog.JobID(value)
		return checkID(field, value)
	}
	return refused(field, value, "is no parameter; there are limit, after and job")
}

func (q *query) setLimit(value string) error {
	limit, err := strconv.ParseUint(value, 10, 32)
	if err != nil || limit < 1 || limit > maxLimit {
		return refused("limit", value, fmt.Sprintf("must be a whole number from 1 to %d", maxLimit))
	}
	q.limit = int(limit)
	return nil
}

// checkID refuses what no database could compare, NUL bytes in particular: PostgreSQL would call them an
// error of its own.
func checkID(field, value string) error {
	switch {
	case len(value) > maxID:
		return refused(field, value, fmt.Sprintf("must have at most %d bytes", maxID))
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return refused(field, value, "must be UTF-8 without NUL bytes")
	}
	return nil
}
