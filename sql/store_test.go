package sql

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

func TestJobIsReadWithItsRun(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.task(t)
		f.job(t, 1914, "'running'", f.at(-time.Hour), f.at(-30*time.Minute))
		f.run(t, 2206, 1914, f.at(-50*time.Minute), f.at(-40*time.Minute)) // of an earlier claim
		f.run(t, 2207, 1914, f.at(-29*time.Minute), f.at(-6*time.Minute+500*time.Millisecond))

		jobs, err := f.store.Jobs(t.Context(), noon, []watchdog.JobID{"1914"})
		require.NoError(t, err)
		require.Len(t, jobs, 1)
		require.NotEmpty(t, jobs[0].Version)
		jobs[0].Version = ""
		require.Equal(t, watchdog.Job{
			ID: "1914", Run: "2207", Task: "ORCH-111", Stage: "deploy-staging", Status: "running", Attempt: 1,
			CreatedAt: noon.Add(-time.Hour), StartedAt: noon.Add(-30 * time.Minute),
			RunStartedAt: noon.Add(-29 * time.Minute),
			FinishedAt:   noon.Add(-6*time.Minute + 500*time.Millisecond),
			ExitCode:     new(int64(0)), PID: new(int64(17)),
		}, jobs[0])
	})
}

func TestWhatIsNotKnownIsEmpty(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.exec(t, "INSERT INTO jobs (id, status) VALUES (1, 'queued')")
		jobs, err := f.store.Jobs(t.Context(), noon, []watchdog.JobID{"1"})
		require.NoError(t, err)
		require.Len(t, jobs, 1)
		jobs[0].Version = ""
		require.Equal(t, watchdog.Job{ID: "1", Status: "queued"}, jobs[0])
	})
}

func TestNow(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		now, err := f.store.Now(t.Context())
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), now, time.Minute)
	})
}

func TestCountsLeaveTheHistoryOut(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.exec(t, "INSERT INTO jobs (id, status) VALUES (1, 'queued'), (2, 'queued'), (3, 'running'), (4, 'done'), (5, 'failed'), (6, 'paused'), (7, NULL)")
		counts, err := f.store.Counts(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[string]int{"queued": 2, "running": 1, "paused": 1, "unknown": 1}, counts)
	})
}

func TestOpenJobsComeInPages(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.exec(t, `INSERT INTO jobs (id, status) VALUES (2, 'running'), (10, 'running'), (9, 'paused'), (11, NULL),
			(3, 'queued'), (4, 'done'), (5, 'failed'), (100, 'running')`)
		var pages [][]string
		var after watchdog.JobID
		for {
			jobs, err := f.store.OpenJobs(t.Context(), noon, after, 2)
			require.NoError(t, err)
			if len(jobs) == 0 {
				break
			}
			pages = append(pages, ids(jobs))
			after = jobs[len(jobs)-1].ID
		}
		require.Equal(t, [][]string{{"2", "9"}, {"10", "11"}, {"100"}}, pages)
	})
}

// What is open all the while is given once, whatever comes and goes between two pages.
func TestPagesBearChanges(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.exec(t, "INSERT INTO jobs (id, status) VALUES (2, 'running'), (9, 'running'), (10, 'running'), (11, 'running')")
		first, err := f.store.OpenJobs(t.Context(), noon, "", 2)
		require.NoError(t, err)
		f.exec(t, "UPDATE jobs SET status = 'done' WHERE id = 2")
		f.exec(t, "INSERT INTO jobs (id, status) VALUES (100, 'running')")
		rest, err := f.store.OpenJobs(t.Context(), noon, first[1].ID, 5)
		require.NoError(t, err)
		require.Equal(t, []string{"2", "9", "10", "11", "100"}, append(ids(first), ids(rest)...))
	})
}

// hostile are ids that name no job, whatever the table holds.
var hostile = []watchdog.JobID{"", "abc", "01914", "+1914", " 1914", "1914 ", "1914.0", "1e3", "0x77a", "--1", "-0", "1914\x00",
	"\xff\xfe", "99999999999999999999", "123456789012345678901234567890", "9223372036854775808", "'; DROP TABLE jobs; --",
	"١٩١٤", "null", "1914\n"}

func TestHostileIDsNameNoJob(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.exec(t, "INSERT INTO jobs (id, status) VALUES (1914, 'running'), (1000, 'running'), (0, 'running'), (9223372036854775807, 'running'), (-5, 'running')")
		for _, id := range hostile {
			jobs, err := f.store.Jobs(t.Context(), noon, []watchdog.JobID{id})
			require.NoError(t, err, "%q", id)
			require.Empty(t, jobs, "%q", id)

			tx, err := f.store.Begin(t.Context())
			require.NoError(t, err)
			_, err = tx.Lock(t.Context(), id)
			require.ErrorIs(t, err, watchdog.ErrNoJob, "%q", id)
			changed, err := tx.Requeue(t.Context(), noon, id, "\xff")
			require.NoError(t, err)
			require.False(t, changed)
			changed, err = tx.Fail(t.Context(), noon, id, "v")
			require.NoError(t, err, "%q", id)
			require.False(t, changed)
			require.NoError(t, tx.Commit(t.Context()))

			if id != "" {
				_, err = f.store.OpenJobs(t.Context(), noon, id, 10)
				require.ErrorIs(t, err, watchdog.ErrNoJob, "%q", id)
				jobs, err = f.store.Due(t.Context(), noon, time.Minute, time.Hour, id, 10)
				require.NoError(t, err, "%q", id)
				require.Empty(t, jobs, "%q", id)
			}
		}
		all := append([]watchdog.JobID{"1914", "1914", "9223372036854775807", "-5", "0"}, hostile...)
		jobs, err := f.store.Jobs(t.Context(), noon, all)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"1914", "9223372036854775807", "-5", "0"}, ids(jobs))
	})
}

// The ids of a statement of one's own are whatever it takes them for.
func TestPagesOfTextIDs(t *testing.T) {
	f := onSQLite(t)
	f.config.Dir = overrides(t, map[string]string{"open_jobs": `SELECT id AS job, NULL AS run, NULL AS task, NULL AS stage, 'running' AS status,
		1 AS attempt, 'v' AS version, NULL AS created_at, NULL AS started_at, NULL AS run_started_at, NULL AS finished_at,
		NULL AS exit_code, NULL AS pid FROM (SELECT 'abc' AS id UNION SELECT 'abd') WHERE id > :after ORDER BY id LIMIT :limit`})
	jobs, err := f.open(t, f.config).OpenJobs(t.Context(), noon, "abc", 10)
	require.NoError(t, err)
	require.Equal(t, []string{"abd"}, ids(jobs))
}

func ids(jobs []watchdog.Job) []string {
	var all []string
	for _, j := range jobs {
		all = append(all, string(j.ID))
	}
	return all
}
