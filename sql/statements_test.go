package sql

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unbound stands in for sqlx where no database is at hand: it takes every parameter for bound.
func unbound(query string, values any) (string, []any, error) { return query, nil, nil }

func TestDialectsHaveTheSameStatements(t *testing.T) {
	folders, err := sets.ReadDir("sets")
	require.NoError(t, err)
	for _, set := range folders {
		parameters := map[dialect]map[string][]string{}
		for _, d := range []dialect{postgres, sqlite} {
			folder := "sets/" + set.Name() + "/" + string(d)
			texts, err := embedded(set.Name(), d)
			require.NoError(t, err)
			_, err = load(set.Name(), d, "", unbound)
			require.NoError(t, err)

			var want []string
			parameters[d] = map[string][]string{}
			for name, f := range texts {
				_, names := plain(f.text)
				slices.Sort(names)
				parameters[d][name] = names
				want = append(want, name+".sql")
			}
			files, err := fs.Glob(sets, folder+"/*.sql")
			require.NoError(t, err)
			var got []string
			for _, path := range files {
				switch name := filepath.Base(path); name {
				case "schema.sql", "indexes.sql", "grants.sql", "job.part.sql":
				default:
					got = append(got, name)
				}
			}
			require.ElementsMatch(t, want, got)
		}
		require.Equal(t, parameters[postgres], parameters[sqlite])
	}
}

func TestNoStatementReadsAClockButNow(t *testing.T) {
	clock := regexp.MustCompile(`(?i)\bnow\(|'now'|current_timestamp|current_date|current_time|clock_timestamp|statement_timestamp|localtime`)
	for _, d := range []dialect{postgres, sqlite} {
		texts, err := embedded(defaultSet, d)
		require.NoError(t, err)
		for name, f := range texts {
			text, _ := plain(f.text)
			require.Equal(t, name == "now", clock.MatchString(text), "%s %s", d, name)
		}
	}
}

func TestColumnsAreTheContracts(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		for _, sig := range contract() {
			if len(sig.gives) == 0 {
				continue
			}
			_, columns, err := (&inspection{source: f.store.source, db: f.store.db}).plan(t.Context(), f.store.statements[sig.name])
			require.NoError(t, err)
			require.Equal(t, sig.gives, columns, sig.name)
		}
	})
}

func TestOverrides(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		dir := overrides(t, map[string]string{"counts": "SELECT 'running: :x -- no' AS status, 7::int AS count; -- it's :not a parameter"})
		if f.dialect == sqlite {
			dir = overrides(t, map[string]string{"counts": "/* it's :not */ SELECT 'running: :x -- no' AS status, 7 AS count"})
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "..data"), nil, 0o600))
		f.config.Dir = dir
		counts, err := f.open(t, f.config).Counts(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[string]int{"running: :x -- no": 7}, counts)
	})
}

func TestFaultyOverridesAreAllTold(t *testing.T) {
	dir := overrides(t, map[string]string{
		"lock":    "SELECT 1 WHERE :job = :now",
		"requeue": "UPDATE jobs SET status = 'queued' WHERE id = :job",
		"fail":    " -- nothing\n;",
	})
	_, err := Open(Config{URL: "sqlite:none.db", Dir: dir})
	require.ErrorContains(t, err, "lock.sql): parameter :now is unknown")
	require.ErrorContains(t, err, "requeue.sql): parameter :version is missing")
	require.ErrorContains(t, err, "fail.sql): it is empty")
	require.Len(t, CheckStatements(Config{URL: "sqlite:none.db", Dir: dir}), 3)

	for _, name := range []string{"lokc.sql", "lock.txt", "schema.sql", "job.part.sql"} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("SELECT 1"), 0o600))
		_, err := Open(Config{URL: "sqlite:none.db", Dir: dir})
		require.ErrorContains(t, err, name+" is no statement's file")
	}
	dir = overrides(t, map[string]string{"due_jobs": "WITH job AS (\n  -- include job.part.sql\n) SELECT 1"})
	require.Len(t, CheckStatements(Config{URL: "sqlite:none.db", Dir: dir}), 1)
	_, err = Open(Config{URL: "sqlite:none.db", Dir: dir})
	require.EqualError(t, err, "read statements: "+filepath.Join(dir, "due_jobs.sql")+" includes job.part.sql, which only the "+
		"set's own files can: put the text of job.part.sql in the place of that line")

	_, err = Open(Config{URL: "sqlite:none.db", Dir: filepath.Join(dir, "none")})
	require.ErrorContains(t, err, "no such file")
	_, err = Open(Config{URL: "sqlite:none.db", Set: "river"})
	require.EqualError(t, err, `read statements: there is no set "river" for sqlite`)
	require.Equal(t, []string{defaultSet}, Sets())
}

func TestAStatementWithoutAColumnIsAnError(t *testing.T) {
	f := onSQLite(t)
	f.config.Dir = overrides(t, map[string]string{"counts": "SELECT 'running' AS status, 1 AS number"})
	_, err := f.open(t, f.config).Counts(t.Context())
	require.ErrorContains(t, err, `gives no column "count"`)
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT :a::text":                         "SELECT :a ::::text",
		"SELECT ':b', \":c\", `:d` -- :e\n, :f;":  "SELECT '::b', \"::c\", `::d`  , :f",
		"SELECT 'it''s :b' /* :c\n */ || :d":      "SELECT 'it''s ::b'   || :d",
		`SELECT E'\':x', :y`:                      `SELECT E'\'::x', :y`,
		"SELECT $q$ :x ' $q$, $1, :y":             "SELECT $q$ ::x ' $q$, $1, :y",
		"SELECT a[1:2], b::int, :z":               "SELECT a[1::2], b::::int, :z",
		"SELECT col ? 'key' AND name_E':x' = :_p": "SELECT col ? 'key' AND name_E'::x' = :_p",
		"SELECT 'open :a":                         "SELECT 'open ::a",
	} {
		got, _ := plain(text)
		require.Equal(t, want, strings.TrimSpace(got), text)
	}
	_, names := plain("SELECT :b, :a, :b, ':c' -- :d")
	require.Equal(t, []string{"b", "a"}, names)
}

// Operators that look like placeholders or parameters reach PostgreSQL as they are.
func TestOperatorsSurvive(t *testing.T) {
	f := onPostgres(t)
	f.config.Dir = overrides(t, map[string]string{
		"jobs": `SELECT '17' AS job, NULL AS run, NULL AS task, NULL AS stage, 'running' AS status, 1 AS attempt, 'v' AS version,
			NULL AS created_at, NULL AS started_at, NULL AS run_started_at, NULL AS finished_at, NULL AS exit_code, NULL AS pid
			WHERE :jobs::jsonb ? '17' AND (ARRAY[1,2,3])[1:2] = ARRAY[1,2] AND to_char(to_timestamp(0), 'HH24:MI') <> ''`,
	})
	f.store = f.open(t, f.config)
	jobs, err := f.store.Jobs(t.Context(), noon, nil)
	require.NoError(t, err)
	require.Empty(t, jobs)
	jobs, err = f.store.Jobs(t.Context(), noon, append(hostile, "17"))
	require.NoError(t, err)
	require.Equal(t, []string{"17"}, ids(jobs))
}

func TestSchemaOfNobody(t *testing.T) {
	_, err := Schema("orchestrator", "oracle")
	require.EqualError(t, err, `read schema: there is none of set "orchestrator" for "oracle"`)
}
