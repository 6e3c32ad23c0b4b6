package sql

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// modelJob is a row of jobs with its runs, as a test thinks of them: nil is NULL.
type modelJob struct {
	id               int64
	status           string
	created, started *time.Time
	runs             []modelRun
}

type modelRun struct {
	id                int64
	started, finished *time.Time
}

// run is the rule of the job's run, told over: the newest run that started no earlier than the job; one whose
// start is unknown while no later run has started and it was not over before the job started.
func (j modelJob) run() *modelRun {
	var best *modelRun
	for i, r := range j.runs {
		later := slices.ContainsFunc(j.runs, func(n modelRun) bool { return n.id > r.id && n.started != nil })
		over := r.finished != nil && j.started != nil && r.finished.Before(*j.started)
		switch {
		case r.started == nil && (later || over),
			r.started != nil && j.started != nil && r.started.Before(*j.started):
			continue
		}
		if best == nil || r.id > best.id {
			best = &j.runs[i]
		}
	}
	return best
}

// due is the rule of due_jobs, told over without any thought of indexes.
func (j modelJob) due(now time.Time, grace, ceiling time.Duration) bool {
	if j.status != "running" {
		return false
	}
	run, began := j.run(), j.created
	if j.started != nil {
		began = j.started
	}
	if run != nil && run.started != nil {
		began = run.started
	}
	old := began != nil && !began.After(now.Add(-ceiling))
	if run == nil || run.finished == nil || run.finished.After(now.Add(-grace)) {
		return old
	}
	contradiction := !run.finished.After(now.Add(-ceiling)) && began != nil && run.finished.Before(*began)
	return old || !contradiction
}

// moments are few, so that they often are equal, and lie on both sides of every bound.
func moments(now time.Time) *rapid.Generator[*time.Time] {
	return rapid.Custom(func(t *rapid.T) *time.Time {
		if rapid.IntRange(0, 5).Draw(t, "null") == 0 {
			return nil
		}
		at := now.Add(time.Duration(rapid.IntRange(-24, 4).Draw(t, "units")) * 30 * time.Second)
		return &at
	})
}

func models(now time.Time) *rapid.Generator[[]modelJob] {
	at := moments(now)
	return rapid.Custom(func(t *rapid.T) []modelJob {
		jobs := make([]modelJob, rapid.IntRange(1, 12).Draw(t, "jobs"))
		runID := int64(0)
		for i := range jobs {
			jobs[i] = modelJob{id: int64(i*3 + 8), created: at.Draw(t, "created"), started: at.Draw(t, "started"),
				status: rapid.SampledFrom([]string{"running", "running", "running", "queued", "done", "paused"}).Draw(t, "status")}
			for range rapid.IntRange(0, 3).Draw(t, "runs") {
				runID++
				jobs[i].runs = append(jobs[i].runs, modelRun{id: runID, started: at.Draw(t, "run started"), finished: at.Draw(t, "run finished")})
			}
		}
		return jobs
	})
}

// insert writes the model; unknown instants are spelled in every way that is none.
func (f *fixture) insert(t *rapid.T, jobs []modelJob) error {
	unknown := map[dialect][]string{
		postgres: {"NULL", "'infinity'", "'-infinity'", "to_timestamp(-5)", "to_timestamp(300000000000)"},
		sqlite:   {"NULL", "'yesterday'", "''", "'2026'", "'now'", "X'00ff'", "-5", "1773489600000", "'12:00'"},
	}
	spell := func(at *time.Time) string {
		if at == nil {
			return rapid.SampledFrom(unknown[f.dialect]).Draw(t, "unknown")
		}
		if f.dialect == postgres {
			return fmt.Sprintf("to_timestamp(%d)", at.Unix())
		}
		zone := time.FixedZone("", 2*60*60)
		return rapid.SampledFrom([]string{
			at.Format("'2006-01-02 15:04:05'"), at.Format("'2006-01-02T15:04:05Z'"), at.Format("'2006-01-02T15:04:05.000000'"),
			at.In(zone).Format("'2006-01-02T15:04:05-07:00'"), at.In(zone).Format("'2006-01-02 15:04:05.000-07:00'"),
			fmt.Sprint(at.Unix()), fmt.Sprintf("%d.0", at.Unix()), fmt.Sprintf("'%d'", at.Unix()),
		}).Draw(t, "spelling")
	}
	text := strings.Builder{}
	text.WriteString("DELETE FROM agent_runs; DELETE FROM jobs;")
	for _, j := range jobs {
		fmt.Fprintf(&text, "INSERT INTO jobs (id, status, created_at, started_at) VALUES (%d, '%s', %s, %s);",
			j.id, j.status, spell(j.created), spell(j.started))
		for _, r := range j.runs {
			fmt.Fprintf(&text, "INSERT INTO agent_runs (id, job_id, started_at, finished_at) VALUES (%d, %d, %s, %s);",
				r.id, j.id, spell(r.started), spell(r.finished))
		}
	}
	_, err := f.db.Exec(text.String())
	return err
}

func TestDueIsWhatAgeAloneWouldReap(t *testing.T) {
	const grace, ceiling = 2 * time.Minute, 8 * time.Minute
	onBoth(t, func(t *testing.T, f *fixture) {
		rapid.Check(t, func(rt *rapid.T) {
			jobs := models(noon).Draw(rt, "jobs")
			require.NoError(rt, f.insert(rt, jobs))
			limit := rapid.SampledFrom([]int{2, 5, 100}).Draw(rt, "limit")

			var want, got []string
			for _, j := range jobs {
				if j.due(noon, grace, ceiling) {
					run := ""
					if r := j.run(); r != nil {
						run = fmt.Sprint(r.id)
					}
					want = append(want, fmt.Sprintf("%d/%s", j.id, run))
				}
			}
			for after := watchdog.JobID(""); ; {
				page, err := f.store.Due(t.Context(), noon, grace, ceiling, after, limit)
				require.NoError(rt, err)
				require.LessOrEqual(rt, len(page), limit)
				for _, j := range page {
					got = append(got, fmt.Sprintf("%s/%s", j.ID, j.Run))
				}
				if len(page) < limit {
					break
				}
				after = page[len(page)-1].ID
			}
			require.Equal(rt, want, got)
		})
	})
}
