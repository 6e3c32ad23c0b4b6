package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
)

// incidentAnswer is what /queue says of the job of the incident, while its finalizer lives.
const incidentAnswer = `{"now":"2026-03-14T12:00:00Z","reaper":{"finalizer_liveness_enabled":true,"dry_run":false,
	"settings":{"WATCHDOG_REAPER_GUARDED_STAGES":"deploy-staging,deploy","WATCHDOG_REAPER_FINALIZE_GRACE":"2m",
		"WATCHDOG_REAPER_CEILING":"2h","WATCHDOG_REAPER_STAGE_GRACE":"review=1m","WATCHDOG_REAPER_INTERVAL":"5s",
		"WATCHDOG_REAPER_MAX_ATTEMPTS":"3"}},
	"jobs":[{"job":"1914","run":"2207","task":"ORCH-111","stage":"deploy-staging","status":"running","attempt":1,
		"run_started_at":"2026-03-14T11:47:49Z","finished_at":"2026-03-14T11:53:18Z","exit_code":0,
		"held_until":"2026-03-14T12:00:12Z",
		"owner":{"state":"connected","name":"orchestrator-0","pid":17,"uid":1000,"proof":"pidfd","guarded":true,
			"step":"merge-gate re-test","step_until":"2026-03-14T12:23:20Z","marked_at":"2026-03-14T11:53:20Z","beat_age_s":1.2},
		"verdict":{"action":"defer","tier":2,"reason":"connected","changes_at":"2026-03-14T12:23:20Z","reap_at":"2026-03-14T13:47:49Z"}}]}`

func TestExplainTheIncident(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, incidentAnswer)
	}))
	defer server.Close()
	status, stdout, stderr := start(t, []string{"WATCHDOG_LISTEN=" + server.Listener.Addr().String()}, "explain", "1914")
	assert.Equal(t, exitOK, status)
	assert.Empty(t, stderr)
	assert.Equal(t, `job 1914: defer (tier 2, connected)

what is known at 2026-03-14T12:00:00Z
  Status running, attempt 1, stage deploy-staging, task ORCH-111.
  Run 2207 started 2026-03-14T11:47:49Z (12m11s ago) and finished 2026-03-14T11:53:18Z (6m42s ago), with exit code 0.
  Its finalizer is "orchestrator-0" (pid 17, uid 1000): connected; it last spoke 1.2s ago.
  It marked the job 2026-03-14T11:53:20Z (6m40s ago).
  Its death would be told by the kernel at once (pidfd).
  Its step is "merge-gate re-test", with a budget until 2026-03-14T12:23:20Z (in 23m20s).
  A check promised that nobody takes it until 2026-03-14T12:00:12Z (in 12s).

which rule decides
  By its age alone it would be reaped, and something forbids that:
  Its finalizer lives and is connected, and its ownership counts.

what would change it
  If it clears, its grace begins; if its process dies, it is reaped at once.
  If nothing happens, another rule decides from 2026-03-14T12:23:20Z (in 23m20s).
  If nothing happens, it is reaped at 2026-03-14T13:47:49Z (in 1h48m).
`, stdout)
}

// told explains the incident's job with something changed.
func told(t *testing.T, change func(*queueAnswer, *queueJob)) string {
	t.Helper()
	var a queueAnswer
	require.NoError(t, json.Unmarshal([]byte(incidentAnswer), &a))
	change(&a, &a.Jobs[0])
	var out bytes.Buffer
	explain(&out, a)
	return out.String()
}

func TestExplainEveryReason(t *testing.T) {
	reasons := slices.Concat(watchdog.DeferReasons(), slices.Collect(maps.Keys(watchdog.ReapReasons())),
		[]watchdog.Reason{watchdog.ReasonRunning, watchdog.ReasonFinalizing, watchdog.ReasonMalformed, watchdog.ReasonClosed})
	seen := make(map[string]watchdog.Reason)
	for _, reason := range reasons {
		e := explanation{queueJob: queueJob{Verdict: queueVerdict{Reason: reason}}}
		text := e.reasonText()
		assert.NotContains(t, text, "does not know", reason)
		assert.Empty(t, seen[text], reason)
		seen[text] = reason
	}
	assert.Contains(t, told(t, func(_ *queueAnswer, j *queueJob) { j.Verdict.Reason = "bored" }), "reason is bored")
}

func TestExplain(t *testing.T) {
	at := time.Date(2026, 3, 14, 11, 59, 0, 0, time.UTC)
	standby, fault, detail, review := "another watchdog has this database", "count jobs: refused", "its run has no start", "review"
	reap := func(reason watchdog.Reason) queueVerdict {
		return queueVerdict{Action: watchdog.Reap, Reason: reason, ReapAt: &at}
	}
	for want, change := range map[string]func(*queueAnswer, *queueJob){
		"No finalizer owns it.":                      func(_ *queueAnswer, j *queueJob) { j.Owner = nil },
		"has no influence: the switch is off.":       func(a *queueAnswer, _ *queueJob) { a.Reaper.LivenessEnabled = false },
		"has no influence: the stage is not guarded": func(_ *queueAnswer, j *queueJob) { j.Stage, j.Owner.Guarded = &review, false },
		"the grace (1m) ago":                         func(_ *queueAnswer, j *queueJob) { j.Stage, j.Verdict = &review, reap(watchdog.ReasonUnfinalized) },
		"the grace (2m) ago":                         func(_ *queueAnswer, j *queueJob) { j.Verdict = reap(watchdog.ReasonUnfinalized) },
		"older than its ceiling (2h)":                func(_ *queueAnswer, j *queueJob) { j.Verdict = reap(watchdog.ReasonBackstop) },
		"It is reaped by the next pass, within 5s.":  func(_ *queueAnswer, j *queueJob) { j.Verdict = reap(watchdog.ReasonBackstop) },
		"The last one failed: count jobs: refused.": func(a *queueAnswer, j *queueJob) {
			j.Verdict, a.Reaper.LastPassError = reap(watchdog.ReasonBackstop), &fault
		},
		"In earnest it would be reaped by the next pass.": func(a *queueAnswer, j *queueJob) {
			j.Verdict, a.Reaper.DryRun = reap(watchdog.ReasonBackstop), true
		},
		"This is a dry run": func(a *queueAnswer, _ *queueJob) { a.Reaper.DryRun = true },
		"applies no age rule: another watchdog has this database.": func(a *queueAnswer, j *queueJob) {
			j.Verdict.Reason, a.Reaper.StandbyReason = watchdog.ReasonStandby, &standby
		},
		"Something is wrong with it: its run has no start.": func(_ *queueAnswer, j *queueJob) { j.Verdict.Detail = &detail },
		"if its process dies, after its lease.":             func(_ *queueAnswer, j *queueJob) { j.Owner.Proof = watchdog.ProofNone },
		"Its death could not be proven":                     func(_ *queueAnswer, j *queueJob) { j.Owner.Proof = watchdog.ProofNone },
		"dead, the kernel told the exit of its process, 2026-03-14T11:59:00Z (1m ago)": func(_ *queueAnswer, j *queueJob) {
			j.Owner.State, j.Owner.DiedAt = watchdog.Dead, &at
		},
		"until its lease lapses, 2026-03-14T11:59:00Z": func(_ *queueAnswer, j *queueJob) {
			j.Owner.State, j.Owner.LeaseUntil = watchdog.Reconnecting, &at
		},
		"silent past its lease": func(_ *queueAnswer, j *queueJob) { j.Owner.State = watchdog.Stalled },
		`Its worker is "" (uid 7): connected`: func(_ *queueAnswer, j *queueJob) {
			j.Worker = &queueOwner{State: watchdog.Connected, UID: 7}
		},
		"An owner of this run let go of it 2026-03-14T11:59:00Z (1m ago).": func(_ *queueAnswer, j *queueJob) { j.ClearedAt = &at },
		`Its step is "merge-gate re-test", without a budget.`:              func(_ *queueAnswer, j *queueJob) { j.Owner.StepUntil = nil },
		"and has not finished.": func(_ *queueAnswer, j *queueJob) { j.FinishedAt = nil },
		"It started 2026-03-14T11:59:00Z (1m ago). It has no run since.": func(_ *queueAnswer, j *queueJob) { j.Run, j.StartedAt = nil, &at },
		"It was created 2026-03-14T11:59:00Z (1m ago).":                  func(_ *queueAnswer, j *queueJob) { j.Run, j.CreatedAt = nil, &at },
		"Neither a start nor a run is known.":                            func(_ *queueAnswer, j *queueJob) { j.Run = nil },
		"It is to be reaped: requeued, after attempt 1 of 3.":            func(_ *queueAnswer, j *queueJob) { j.Verdict = reap(watchdog.ReasonBackstop) },
		"It is to be reaped, and due since 2026-03-14T11:59:00Z (1m ago): failed, not requeued, after attempt 7 of 3.": func(_ *queueAnswer, j *queueJob) {
			seven := int64(7)
			j.Verdict, j.Attempt = reap(watchdog.ReasonBackstop), &seven
			j.Verdict.DueSince = &at
		},
		"It is to be reaped: handed back to the orchestrator, or failed": func(_ *queueAnswer, j *queueJob) {
			j.Verdict, j.Attempt = reap(watchdog.ReasonBackstop), nil
		},
		"and only the backstop (2h) acts on such a job.": func(_ *queueAnswer, j *queueJob) {
			j.Verdict = queueVerdict{Action: watchdog.Wait, Reason: watchdog.ReasonMalformed, ReapAt: &at}
		},
		"nothing tells its age: no rule acts on such a job.\n\nwhat would change it\n  Correct its rows in the orchestrator's database, " +
			"and it is judged like any other.\n  It is not reaped as it is.\n": func(_ *queueAnswer, j *queueJob) {
			j.Verdict, j.RunStartedAt = queueVerdict{Action: watchdog.Wait, Reason: watchdog.ReasonMalformed}, nil
		},
		"cannot be foreseen": func(_ *queueAnswer, j *queueJob) { j.Verdict.ReapAt = nil },
		"It is left alone:":  func(_ *queueAnswer, j *queueJob) { j.Verdict.Action = watchdog.Wait },
	} {
		assert.Contains(t, told(t, change), want)
	}
	incident := told(t, func(*queueAnswer, *queueJob) {})
	for _, absent := range []string{"has no influence", "dry run", "Something is wrong", "worker"} {
		assert.NotContains(t, incident, absent)
	}
	closed := told(t, func(_ *queueAnswer, j *queueJob) {
		j.Verdict = queueVerdict{Action: watchdog.Wait, Reason: watchdog.ReasonClosed}
	})
	assert.NotContains(t, closed, "foreseen")
}

func TestExplainSteersNoTerminal(t *testing.T) {
	hostile := "\x1b[2J\r\n\u202e"
	text := told(t, func(_ *queueAnswer, j *queueJob) {
		j.Job, j.Task, j.Stage, j.Status, j.Run = hostile, &hostile, &hostile, &hostile, &hostile
		j.Owner.Name, j.Owner.Step, j.Verdict.Detail = &hostile, &hostile, &hostile
	})
	for _, steers := range []string{"\x1b", "\r", "\u202e"} {
		assert.NotContains(t, text, steers)
	}
}

func TestAnswersThatTellOfNoJob(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		want   []string
	}{
		{404, `{"error":"no-such-job","field":"job","message":"job=\"7\": no such job"}`, []string{`job="7": no such job`, "01914 is not 1914"}},
		{400, `{"error":"bad-request","field":"job","message":"job=\"\": must name a job"}`, []string{"must name a job"}},
		{503, `{"error":"unavailable","message":"connect: refused","jobs":null}`, []string{"connect: refused", "watchdog check"}},
		{503, `{"error":"overloaded","message":"too many"}`, []string{"too many", "ask again"}},
		{401, "Unauthorized\n", []string{"--password-file"}},
		{400, "Client sent an HTTP request to an HTTPS server.\n", []string{"the watchdog speaks TLS: give --url https://"}},
		{404, "404 page not found\n", []string{`no watchdog's answer: status 404, "404 page not found"`, "--url"}},
		{500, `{"reason":"another program's"}`, []string{"no watchdog's answer: status 500"}},
		{200, "<html>", []string{"no watchdog's answer"}},
		{200, `{"jobs":[]}`, []string{"told of 0 jobs"}},
	} {
		_, err := readAnswer(test.status, []byte(test.body))
		for _, want := range test.want {
			assert.ErrorContains(t, err, want, test.body)
		}
	}
}
