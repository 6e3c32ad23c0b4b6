package sql

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// problems are a report's findings, one a line.
func problems(r Report) string {
	var lines []string
	for _, f := range r.Findings {
		lines = append(lines, fmt.Sprintf("%s %s: %s [%s]", f.Severity, f.Statement, f.Problem, f.Remedy))
	}
	return strings.Join(lines, "\n")
}

func TestInspectFindsMissingIndexes(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.history(t, large+500)
		r := Inspect(t.Context(), f.config)
		require.Empty(t, problems(r))
		require.Len(t, r.Statements, len(contract()))
		require.NotEmpty(t, r.Database)

		f.exec(t, "DROP INDEX jobs_open")
		f.exec(t, "DROP INDEX agent_runs_job_id")
		r = Inspect(t.Context(), f.config)
		require.False(t, r.Has(Fault), "it works")
		found := problems(r)
		require.Contains(t, found, "slow : there is no index on jobs (status, started_at)")
		require.Contains(t, found, "slow : there is no index on agent_runs (job_id)")
		require.Contains(t, found, "slow counts: it reads the whole of jobs, which is large")
		require.Contains(t, found, "ON jobs (status, started_at) WHERE status IS NULL OR status NOT IN ('done', 'failed');]")
		require.Equal(t, f.dialect == postgres, strings.Contains(found, "CREATE INDEX CONCURRENTLY jobs_open"))
	})
}

func TestInspectWritesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.exec(t, "INSERT INTO jobs (id, status) VALUES (1, 'running')")
		f.exec(t, "INSERT INTO agent_runs (id, job_id) VALUES (1, 1)")
		f.config.Dir = overrides(t, map[string]string{
			"requeue": "UPDATE jobs SET status = 'queued' WHERE CAST(id AS text) = :job OR '' = :version",
			"counts":  "DELETE FROM jobs",
		})
		before := f.one(t)
		require.True(t, Inspect(t.Context(), f.config).Has(Fault))
		require.Equal(t, before, f.one(t))
	})
}

func TestInspectAcceptsAWiderIndex(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.exec(t, "DROP INDEX jobs_open")
		f.exec(t, "CREATE INDEX theirs ON jobs (status, started_at, id)")
		require.Empty(t, problems(Inspect(t.Context(), f.config)))
	})
}

func TestInspectFindsWhatStatementsGet(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.config.Dir = overrides(t, map[string]string{
			"counts":   "SELECT status, count(*) AS number FROM jobs WHERE status = 'running' GROUP BY status;",
			"due_jobs": "SELECT :now, :grace, :ceiling, :after FROM jobs",
			"now":      "SELECT absent FROM nowhere",
		})
		found := problems(Inspect(t.Context(), f.config))
		require.Contains(t, found, `fault counts: it gives no column "count"`)
		require.Contains(t, found, `fault counts: it gives a column "number" that nobody reads`)
		require.Contains(t, found, "parameter :limit is missing")
		require.Regexp(t, `fault now: prepare: .*nowhere.* \[the schema is not the one`, found)
	})
}

func TestInspectFindsAForeignSchema(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.exec(t, "ALTER TABLE jobs RENAME COLUMN attempt TO tries")
		found := problems(Inspect(t.Context(), f.config))
		for _, name := range []string{"due_jobs", "open_jobs", "jobs", "lock", "requeue", "fail"} {
			require.Contains(t, found, "fault "+name+": prepare: ")
		}
		require.NotContains(t, found, "fault counts")
	})
}

// The GRANTs of the documentation are enough, and each is needed.
func TestGrantsAreEnoughAndNeeded(t *testing.T) {
	f := onPostgres(t)
	raw, err := sets.ReadFile("sets/orchestrator/postgres/grants.sql")
	require.NoError(t, err)
	grants, _ := plain(string(raw))
	lines := strings.Split(strings.TrimSpace(grants), ";")
	require.Len(t, lines, 3)

	for missing := -1; missing < len(lines); missing++ {
		role := fmt.Sprintf("watchdog_%s_%d", f.pg.Name, missing+1)
		f.exec(t, "CREATE ROLE "+role+" LOGIN PASSWORD 'secret'")
		for i, line := range lines {
			if i != missing {
				f.exec(t, strings.Replace(line, "TO watchdog", "TO "+role, 1))
			}
		}
		cfg := Config{URL: f.pg.As(role, "secret"), Timeout: timeout}
		found := problems(Inspect(t.Context(), cfg))
		if missing >= 0 {
			require.Contains(t, found, "permission denied", lines[missing])
			require.Contains(t, found, "[grant the watchdog's role what docs/sql.md lists]")
			continue
		}
		require.Empty(t, found)
		f.incident(t)
		f.store = f.open(t, cfg)
		tx := f.begin(t)
		j, err := tx.Lock(t.Context(), "1914")
		require.NoError(t, err)
		changed, err := tx.Requeue(t.Context(), noon, "1914", j.Version)
		require.NoError(t, err)
		require.True(t, changed)
		require.NoError(t, exclusive(t, cfg).Hold(t.Context()))
	}
}

func TestInspectTellsTheJournalMode(t *testing.T) {
	f := onSQLite(t)
	f.exec(t, "PRAGMA journal_mode = DELETE")
	r := Inspect(t.Context(), f.config)
	require.False(t, r.Has(Fault) || r.Has(Slow))
	require.Contains(t, problems(r), "notice : the journal mode is delete")
	require.Contains(t, r.Database, "journal mode delete")
}

func TestInspectTellsThatNothingAnswers(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.db")
	r := Inspect(t.Context(), Config{URL: "sqlite:" + missing})
	require.True(t, r.Has(Fault))
	require.Contains(t, problems(r), "does not exist")
	require.NoFileExists(t, missing)

	r = Inspect(t.Context(), Config{URL: "postgres://u:hunter2@127.0.0.1:1/db"})
	require.True(t, r.Has(Fault))
	require.Contains(t, problems(r), "connection refused")
	require.NotContains(t, problems(r), "hunter2")
}

// overrides is a folder of statements.
func overrides(t testing.TB, texts map[string]string) string {
	dir := t.TempDir()
	for name, text := range texts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".sql"), []byte(text), 0o600))
	}
	return dir
}
