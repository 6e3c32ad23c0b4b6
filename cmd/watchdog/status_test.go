package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

const statusReply = `{"ok":true,"name":"finalizer-watchdog","version":"v1.2.3","pid":17,"uptime_s":7384.2,` +
	`"finalizer_liveness":true,"dry_run":false,"braking":false,"warming_up":false,"clock_jump":false,"standby":false,` +
	`"standby_reason":null,"database_up":true,"owned":3,"stalled":1,"sessions":{"pidfd":2,"pid":1,"none":4},` +
	`"pending_reaps":1,"last_pass_at":"2026-03-14T12:00:00Z","last_pass_error":null,` +
	`"settings":{"WATCHDOG_SQL_DIR":"","WATCHDOG_LISTEN":":9914"}}` + "\n"

func TestStatus(t *testing.T) {
	f := newFakeWatchdog(t, statusReply)
	env := []string{"WATCHDOG_SOCKET=" + f.socket}
	status, stdout, stderr := start(t, env, "status")
	assert.Equal(t, exitOK, status)
	assert.Empty(t, stderr)
	assert.Equal(t, `{"op":"status"}`+"\n", <-f.asked)
	assert.Contains(t, stdout, "watchdog v1.2.3, process 17, up 2h3m\n")
	assert.Contains(t, stdout, "\nowned      3 jobs, 1 of them stalled\n")
	assert.Contains(t, stdout, "\nsessions   7: the death of 2 is proven by pidfd, of 1 by pid, of 4 by nothing\n")
	assert.Contains(t, stdout, "\npending    1 reap ")
	assert.Regexp(t, `\nsettings\n  WATCHDOG_LISTEN +:9914\n  WATCHDOG_SQL_DIR\n$`, stdout)

	status, stdout, _ = start(t, env, "status", "--json")
	assert.Equal(t, exitOK, status)
	assert.Equal(t, statusReply, stdout)
	<-f.asked

	status, stdout, stderr = start(t, env, "status", "--quiet")
	assert.Equal(t, exitOK, status)
	assert.Empty(t, stdout+stderr)
	<-f.asked
}

func TestStatusText(t *testing.T) {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	at, why, fault := now.Add(-3*time.Second), "another watchdog has this database", "count jobs: connection refused"
	for want, d := range map[string]describe{
		"switch     on: ":   {FinalizerLiveness: true},
		"switch     OFF: ":  {},
		"reaper     acts\n": {},
		"reaper     DRY RUN: it judges and writes nothing\n": {DryRun: true},
		"reaper     STANDS BY: it acts on proven deaths alone (another watchdog has this database)\n": {
			Standby: true, StandbyReason: &why, DatabaseUp: true},
		"reaper     DRY RUN: it judges and writes nothing; STANDS BY: ":        {DryRun: true, Standby: true},
		"reaper     waits for its database\n":                                  {Standby: true, StandbyReason: &fault, LastPassAt: &at, LastPassError: &fault},
		"reaper     acts; BRAKES: ":                                            {Braking: true},
		"reaper     acts; distrusts the rows' clock, which jumped; warms up: ": {ClockJump: true, WarmingUp: true},
		"database   up\n": {DatabaseUp: true},
		"database   AWAY: nothing is reaped until it is back\n":       {LastPassAt: &at},
		"database   not read yet\nlast pass  none yet\n":              {},
		"last pass  3s ago\n":                                         {LastPassAt: &at},
		"last pass  3s ago, FAILED: count jobs: connection refused\n": {LastPassAt: &at, LastPassError: &fault},
	} {
		var out bytes.Buffer
		printStatus(&out, "/s", d, now)
		assert.Contains(t, out.String(), want)
	}
}
