package sql

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// FuzzParameters hands whatever text and numbers there are to the real statements. None is an error, and none
// finds, locks or changes a job but the one that is named, at its version.
func FuzzParameters(f *testing.F) {
	for _, id := range []string{"1914", "01914", " 1914", "1914 ", "+1914", "1914.0", "1e3", "-9223372036854775808", "9223372036854775807",
		"9223372036854775808", "0x77A", "", "0", "-0", "1914\x00", "\xff", "é", "'; DROP TABLE jobs; --", "[1914]", `"1914"`, "NULL",
		strings.Repeat("9", 400), "١٩١٤"} {
		f.Add(id, "v", 5, 1e9, 120.0)
		f.Add("1914", id, -1, -1e300, math.Inf(1))
	}
	s := onSQLite(f)
	s.task(f)
	s.job(f, 1914, "'running'", s.at(-time.Hour), s.at(-time.Hour))
	s.run(f, 2207, 1914, s.at(-time.Hour), s.at(-time.Minute))
	s.job(f, -7, "'running'", s.at(-time.Hour), s.at(-time.Hour))
	all, err := s.store.OpenJobs(f.Context(), noon, "", 10)
	require.NoError(f, err)
	require.Len(f, all, 2)

	f.Fuzz(func(t *testing.T, id, version string, limit int, now, span float64) {
		at, length := time.Unix(0, int64(now)), time.Duration(span)
		ids := []watchdog.JobID{watchdog.JobID(id), watchdog.JobID(version)}
		due, dueErr := s.store.Due(t.Context(), at, length, 2*length, ids[0], limit)
		open, openErr := s.store.OpenJobs(t.Context(), at, ids[0], limit)
		named, namedErr := s.store.Jobs(t.Context(), at, ids)
		if errors.Is(openErr, watchdog.ErrNoJob) {
			require.False(t, slices.ContainsFunc(all, func(j watchdog.Job) bool { return j.ID == ids[0] }))
			openErr = nil
		}
		require.NoError(t, errors.Join(dueErr, openErr, namedErr))
		require.True(t, limit < 0 || max(len(due), len(open)) <= limit)
		for _, j := range named {
			require.Contains(t, ids, j.ID)
		}
		s.named(t, all, ids[0], version, at)
	})
}

// named holds the statements of a transaction to the job that is named, if there is one.
func (f *fixture) named(t *testing.T, all []watchdog.Job, id watchdog.JobID, version string, at time.Time) {
	tx, err := f.store.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	i := slices.IndexFunc(all, func(j watchdog.Job) bool { return j.ID == id })
	row, err := tx.Lock(t.Context(), id)
	if i < 0 {
		require.ErrorIs(t, err, watchdog.ErrNoJob)
	} else {
		require.NoError(t, err)
		require.Equal(t, all[i].Version, row.Version)
	}
	current := i >= 0 && version == all[i].Version
	for _, write := range []func(context.Context, time.Time, watchdog.JobID, string) (bool, error){tx.Requeue, tx.Fail} {
		changed, err := write(t.Context(), at, id, version)
		require.NoError(t, err)
		require.Equal(t, current, changed)
		current = false // the first has changed it
	}
}

// FuzzPlain holds that sqlx, which does not parse SQL, binds what our own reading calls a parameter and lets all
// else stand as it was written, comments aside.
func FuzzPlain(f *testing.F) {
	for _, name := range []string{"due_jobs", "open_jobs", "jobs", "counts", "lock", "requeue", "fail", "now"} {
		for _, d := range []dialect{postgres, sqlite} {
			texts, err := embedded(defaultSet, d)
			require.NoError(f, err)
			f.Add(texts[name].text)
		}
	}
	for _, text := range []string{"", ":", "::", ":::a", ":a:b", "a::text", "'::a' || :a", "'it''s :a'", `E'\':a' :b`, `"col:a"`, "$$ :a $$ :b",
		"$t$:a$$:b$t$", "-- :a\n:b", "/* :a */:b", "/* /* :a */ :b */", ":é", ":a.b", ":1", "x:y", "[:a]", "`:a`", "?", "a ? :b", ":a;", ";;", "$1", "\xff:a",
		"'", "E'", "$x$", "--", "/*", ":A_1é"} {
		f.Add(text)
	}
	bind := sqlx.NewDb(nil, "sqlite3").BindNamed
	f.Fuzz(func(t *testing.T, text string) {
		statement, names := plain(text)
		self := map[string]any{}
		for _, name := range names {
			self[name] = name
		}
		query, bound, err := bind(statement, self)
		if strings.ContainsRune(text, '?') || !utf8.ValidString(text) {
			return // in PostgreSQL's operators only, where the placeholders are others; no text
		}
		require.NoError(t, err, "%q", statement)
		want, parameters := asWritten(text)
		require.Equal(t, strings.Fields(want), strings.Fields(query), "%q", statement)
		require.Equal(t, fmt.Sprint(parameters), fmt.Sprint(bound))
	})
}

// asWritten is a statement as its database is to see it, and what is bound, in order.
func asWritten(text string) (query string, parameters []string) {
	var b strings.Builder
	for text != "" {
		n, kind := token(text)
		switch piece := text[:n]; kind {
		case comment:
			b.WriteByte(' ')
		case parameter:
			b.WriteString("? ")
			parameters = append(parameters, piece[1:])
		default:
			b.WriteString(piece)
		}
		text = text[n:]
	}
	return strings.TrimSuffix(strings.TrimSpace(b.String()), ";"), parameters
}
