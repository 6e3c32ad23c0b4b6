package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// fullPage has the job of the incident, with all that can be known of it, and one of which nothing is.
func fullPage() watchdog.Queue {
	at := func(ago time.Duration) time.Time { return now.Rows.Add(-ago) }
	owner := &watchdog.Owner{
		Job: "1914", Run: "2207", Token: 987654321, Key: "the-secret-key", Role: watchdog.Finalizer,
		Name: "orchestrator-0", PID: 17, UID: 1000, Proof: watchdog.ProofPidfd, Guarded: true,
		State: watchdog.Connected, MarkedAt: now.Boot - 400*time.Second, BeatAt: now.Boot - 1200*time.Millisecond,
		LeaseUntil: now.Boot + 13800*time.Millisecond, Step: "merge-gate re-test", StepUntil: now.Boot + time.Minute,
	}
	worker := &watchdog.Owner{Token: 987654322, Role: watchdog.Worker, Proof: watchdog.ProofNone,
		State: watchdog.Dead, MarkedAt: time.Second, DiedAt: now.Boot - time.Second, BeatAt: now.Boot}
	return watchdog.Queue{
		Now:    now,
		Counts: map[string]int{"running": 2, "queued": 3},
		Status: watchdog.Status{
			LivenessEnabled: true, DatabaseUp: true, LastPassAt: at(2 * time.Second), LastSuccessAt: at(2 * time.Second),
			ClockSkew: -250 * time.Millisecond, DefersTotal: 12, Malformed: 1, Pending: 2,
			ReapedTotal: map[watchdog.Tier]int64{watchdog.Tier2: 3},
		},
		Jobs: []watchdog.Judged{{
			Job: watchdog.Job{
				ID: "1914", Run: "2207", Task: "ORCH-111", Stage: "deploy-staging", Status: watchdog.StatusRunning,
				Attempt: 1, Version: "opaque", CreatedAt: at(time.Hour), StartedAt: at(740 * time.Second),
				RunStartedAt: at(731200 * time.Millisecond), FinishedAt: at(402800 * time.Millisecond),
				ExitCode: new(int64(0)), PID: new(int64(4242)),
			},
			Claim: watchdog.Claim{Owner: owner, Worker: worker, HoldUntil: now.Boot + 10*time.Second,
				ClearedAt: now.Boot - 500*time.Second, Reaping: true},
			Verdict: watchdog.Verdict{Action: watchdog.Defer, Tier: watchdog.Tier2, Reason: watchdog.ReasonHeld,
				ChangesAt: at(-10 * time.Second), ReapAt: at(-6468800 * time.Millisecond)},
		}, {
			Job: watchdog.Job{ID: "<i>\u202e", CreatedAt: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC),
				FinishedAt: at(-time.Second), Unreadable: "started_at"},
			Claim:   watchdog.Claim{HoldUntil: now.Boot},
			Verdict: watchdog.Verdict{Action: watchdog.Wait, Reason: watchdog.ReasonMalformed, Detail: "started_at \xff"},
		}},
		Next: "<i>\u202e",
	}
}

func TestQueue(t *testing.T) {
	config := newConfig(source{page: func(context.Context, watchdog.JobID, int) (watchdog.Queue, error) {
		return fullPage(), nil
	}})
	config.Owners = func() watchdog.Owners {
		return watchdog.Owners{Owned: 1, Sessions: map[watchdog.Proof]int{watchdog.ProofPidfd: 1}}
	}
	answer := get(t, config, "/queue")

	requireStatus(t, http.StatusOK, answer)
	require.Equal(t, "application/json", answer.Header().Get("Content-Type"))
	requireSchema(t, "queue", answer.Body.Bytes())
	golden, err := os.ReadFile("testdata/queue.json")
	require.NoError(t, err)
	require.JSONEq(t, string(golden), answer.Body.String())

	for _, secret := range []string{"987654321", "987654322", "the-secret-key", "token"} {
		require.NotContains(t, answer.Body.String(), secret)
	}
}

func TestQueueOfAnEmptyDatabase(t *testing.T) {
	config := newConfig(source{})
	config.Settings = nil
	answer := get(t, config, "/queue")
	requireStatus(t, http.StatusOK, answer)
	requireSchema(t, "queue", answer.Body.Bytes())
	require.Contains(t, answer.Body.String(), `"jobs":[]`, "an array, not null")
}

func TestQueueAsksForWhatWasAsked(t *testing.T) {
	type call struct {
		after, job watchdog.JobID
		limit      int
	}
	var got call
	config := newConfig(source{
		page: func(_ context.Context, after watchdog.JobID, limit int) (watchdog.Queue, error) {
			got = call{after: after, limit: limit}
			return watchdog.Queue{Now: now}, nil
		},
		job: func(_ context.Context, id watchdog.JobID) (watchdog.Queue, error) {
			got = call{job: id}
			return fullPage(), nil
		},
	})
	for target, want := range map[string]call{
		"/queue":                           {limit: 1000},
		"/queue?limit=10000&after=19%2014": {limit: 1000, after: "19 14"}, // the first part, which is the last
		"/queue?limit=10&after=19%2014":    {limit: 10, after: "19 14"},
		"/queue?after=":                    {limit: 1000},
		"/queue?job=19%2F14":               {job: "19/14"},
	} {
		requireStatus(t, http.StatusOK, get(t, config, target))
		require.Equal(t, want, got, target)
	}
}

func TestNoSuchJob(t *testing.T) {
	config := newConfig(source{page: func(context.Context, watchdog.JobID, int) (watchdog.Queue, error) {
		return watchdog.Queue{}, watchdog.ErrNoJob
	}})
	for target, want := range map[string]struct {
		status int
		body   string
	}{
		"/queue?job=7":       {http.StatusNotFound, `{"error":"no-such-job","field":"job","message":"job=\"7\": no such job"}`},
		"/queue?after=seven": {http.StatusBadRequest, `{"error":"bad-request","field":"after","message":"after=\"seven\": must be a job's id; take it from next"}`},
	} {
		answer := get(t, config, target)
		requireStatus(t, want.status, answer)
		requireSchema(t, "refusal", answer.Body.Bytes())
		require.JSONEq(t, want.body, answer.Body.String())
	}
}

// TestDatabaseAway finds what is known without the database, and not later than the timeout.
func TestDatabaseAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := newConfig(source{page: func(ctx context.Context, _ watchdog.JobID, _ int) (watchdog.Queue, error) {
			<-ctx.Done()
			return watchdog.Queue{}, fmt.Errorf("read open jobs: %w", context.Cause(ctx))
		}})
		config.Status = func() watchdog.Status {
			return watchdog.Status{Braking: true, Counts: map[string]int{"running": 4}, LastPassError: "down"}
		}
		config.Owners = func() watchdog.Owners { return watchdog.Owners{Owned: 7} }

		began := time.Now()
		answer := get(t, config, "/queue")
		require.Equal(t, config.Timeout, time.Since(began))
		requireStatus(t, http.StatusServiceUnavailable, answer)
		requireSchema(t, "unavailable", answer.Body.Bytes())

		var body struct {
			Error, Message string
			Queue          map[string]int
			Reaper         struct {
				Braking bool
				Owned   int `json:"finalizer_owned"`
			}
		}
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &body))
		require.Equal(t, "unavailable", body.Error)
		require.Equal(t, "read open jobs: the database did not answer within 5s", body.Message)
		require.Equal(t, map[string]int{"running": 4}, body.Queue)
		require.True(t, body.Reaper.Braking)
		require.Equal(t, 7, body.Reaper.Owned)
	})
}
