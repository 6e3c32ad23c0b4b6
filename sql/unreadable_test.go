package sql

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// one reads the fixture's job 1.
func (f *fixture) one(t testing.TB) watchdog.Job {
	jobs, err := f.store.Jobs(t.Context(), noon, []watchdog.JobID{"1"})
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	return jobs[0]
}

func TestUnreadableValuesInSQLite(t *testing.T) {
	for column, cases := range map[string]map[string]string{
		"finished_at": {
			"'yesterday'":    `finished_at: "yesterday" is no time`,
			"''":             `finished_at: "" is no time`,
			"'2026'":         `finished_at: "2026" is no time`,
			"'now'":          `finished_at: "now" is no time`,
			"1773489600000":  `finished_at: "1773489600000" is no time`,
			"'2026-13-40'":   `finished_at: "2026-13-40" is no time`,
			"X'00'":          `finished_at: "\x00" is no time`,
			"0":              `finished_at: "0" is no time`,
			"9e999":          `finished_at: "Inf" is no time`,
			"'10000-01-01'":  `finished_at: "10000-01-01" is no time`,
			"'1.2.3.4.5678'": `finished_at: "1.2.3.4.5678" is no time`,
		},
		"pid":       {"'seventeen'": `pid: "seventeen" is no integer`, "17.5": `pid: "17.5" is no integer`},
		"exit_code": {"X'41'": `exit_code: "A" is no integer`},
	} {
		for value, want := range cases {
			t.Run(column+" "+value, func(t *testing.T) {
				f := onSQLite(t)
				f.exec(t, "INSERT INTO jobs (id, status, started_at) VALUES (1, 'running', '2026-03-14 11:00:00')")
				f.exec(t, "INSERT INTO agent_runs (id, job_id, started_at, "+column+") VALUES (7, 1, '2026-03-14 11:00:01', "+value+")")
				j := f.one(t)
				require.Equal(t, want, j.Unreadable)
				require.Equal(t, watchdog.RunID("7"), j.Run)
				require.Equal(t, noon.Add(-time.Hour), j.StartedAt)
				require.Equal(t, noon.Add(-time.Hour+time.Second), j.RunStartedAt)
				require.True(t, j.FinishedAt.IsZero())
			})
		}
	}
}

func TestUnreadableValuesInPostgreSQL(t *testing.T) {
	f := onPostgres(t)
	f.exec(t, "INSERT INTO jobs (id, status, started_at, created_at) VALUES (1, 'running', 'infinity', '2026-03-14 11:00+00')")
	f.exec(t, "INSERT INTO agent_runs (id, job_id, started_at, finished_at) VALUES (7, 1, '-infinity', '20000-01-01')")
	j := f.one(t)
	require.Equal(t, `started_at: "+Inf" is no time; run_started_at: "-Inf" is no time; finished_at: "5.689718208e+11" is no time`, j.Unreadable)
	require.Equal(t, noon.Add(-time.Hour), j.CreatedAt)
	require.Equal(t, noon.Add(-time.Hour), j.Began())
}

func TestStatusMustBeThere(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.exec(t, "INSERT INTO jobs (id, status) VALUES (1, NULL)")
		j := f.one(t)
		require.Equal(t, "status: it is NULL", j.Unreadable)
		require.False(t, j.Open())
	})
}

// A statement of somebody's own may give PostgreSQL's own types in place of seconds and integers.
func TestRowReadsWhatDriversGive(t *testing.T) {
	r := row{columns: map[string]int{}}
	for column, value := range map[string]any{"job": []byte("j\xff"), "status": "running", "version": "v", "attempt": []byte("2"),
		"created_at": noon, "started_at": []byte("1773489600.5"), "finished_at": "1773489600", "pid": "17"} {
		r.columns[column] = len(r.values)
		r.values = append(r.values, value)
	}
	j := r.job()
	require.Equal(t, watchdog.JobID("j\uFFFD"), j.ID)
	require.Equal(t, int64(2), j.Attempt)
	require.Equal(t, noon, j.CreatedAt)
	require.Equal(t, noon.Add(500*time.Millisecond), j.StartedAt)
	require.Equal(t, new(int64(17)), j.PID)
	require.Equal(t, `finished_at: "1773489600" is no time`, j.Unreadable)
}

func TestInstantsKeepTheirMicroseconds(t *testing.T) {
	at := time.Date(2226, 3, 14, 12, 0, 0, 123457000, time.UTC)
	back, ok := instant(seconds(at))
	require.True(t, ok)
	require.Equal(t, at, back)
}
