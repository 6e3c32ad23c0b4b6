package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzSettings holds that whatever the environment has in it is either refused, with all that is wrong and no
// secret, or within the rules that the README gives.
func FuzzSettings(f *testing.F) {
	const secret = "hunter2-5f1c"
	f.Add("postgres", "u", "h/d", uint8(0), "", uint8(0), "")
	for i, s := range settings() {
		for _, value := range []string{s.byDefault, "", "0", "-1", "1ns", "2562047h47m16s", "x", "a=1m,a=2m", "NaN", "0o660", "\x00", "\xff", "4294967296",
			"postgres://a:" + secret + "@b/c", "localhost:99999"} {
			f.Add("postgres", "u", "h/d", uint8(i), value, uint8(i+1), value)
		}
	}
	for _, odd := range [][3]string{{"postgresql", "", "h"}, {"POSTGRES", "u", "h/d"}, {"mysql", "u", "h"}, {"postgres", "u@h/", "h"}, {"postgres", "u?", "h"},
		{"postgres", "u#", "h"}, {"postgres", "[::1]/", "h"}, {"postgres", "%zz", "h"}, {"", "", ""}, {"postgres", "u", "h:99999/d?sslmode=bogus"},
		{"postgres", "u", "@"}, {"postgres", "u", "h/d?password=x#y"}} {
		f.Add(odd[0], odd[1], odd[2], uint8(3), "1s", uint8(4), "")
	}
	socket := f.TempDir() + "/s"
	known := settings()
	f.Fuzz(func(t *testing.T, scheme, user, rest string, first uint8, one string, second uint8, two string) {
		env := []string{
			known[int(first)%len(known)].variable + "=" + one,
			known[int(second)%len(known)].variable + "=" + two,
			databaseURL + "=" + scheme + "://" + user + ":" + secret + "@" + rest,
			"WATCHDOG_SOCKET=" + socket,
		}
		for _, pair := range env[:2] {
			// Not what the host has, and no device: a file without an end.
			if strings.HasPrefix(pair, databaseURLFile+"=") && strings.Contains(pair, "/") {
				t.Skip("a file of the host's")
			}
		}
		c, err := loadConfig(env)
		shown, jsonErr := json.Marshal(c)
		require.NoError(t, jsonErr)
		said := fmt.Sprintf("%v %v %+v %#v %v %s", err, c, c, c, c.values(), shown)
		if bare := strings.Contains(user+rest+scheme, secret) || bareIn(one, secret) || bareIn(two, secret); strings.Contains(said, secret) && !bare {
			t.Fatalf("the password is shown: %v", err)
		}
		if err != nil {
			require.Zero(t, c)
			for line := range strings.Lines(err.Error()) {
				require.True(t, strings.HasPrefix(line, prefix), "%q names no variable", line)
			}
			return
		}
		sane(t, c)
	})
}

// bareIn reports whether a value has the secret in it where nothing says that it might be one: elsewhere than where
// a URL has its password, or in the path of a file.
func bareIn(value, secret string) bool {
	elsewhere := strings.Count(value, secret) > strings.Count(value, ":"+secret+"@")
	return elsewhere || strings.Contains(value, secret) && (!strings.Contains(value, "://") || strings.HasPrefix(value, "sqlite:"))
}

// sane holds settings that were accepted to what the reaper rests on.
func sane(t *testing.T, c Config) {
	policy := c.policy()
	for _, stage := range append(policy.Stages(), "another") {
		grace, ceiling := c.ReaperFinalizeGrace, c.ReaperCeiling
		if own, ok := c.ReaperStageGrace[stage]; ok {
			grace = own
		}
		if own, ok := c.ReaperStageCeiling[stage]; ok {
			ceiling = own
		}
		require.Less(t, c.HeartbeatLease, grace)
		require.Less(t, c.ReaperInterval, grace)
		require.Less(t, grace, ceiling)
		require.Less(t, c.CheckHold, ceiling)
	}
	for _, span := range []time.Duration{c.DatabaseTimeout, c.HeartbeatLease, c.HeartbeatWarmup, c.CheckHold, c.ReaperInterval} {
		require.Positive(t, span)
	}
	require.GreaterOrEqual(t, c.HeartbeatLease, time.Second)
	require.Positive(t, c.ReaperMaxAttempts)
	require.Positive(t, c.ReaperBrakeMin)
	require.True(t, c.ReaperBrakeRatio >= 0 && c.ReaperBrakeRatio <= 1)
	require.LessOrEqual(t, len(c.Socket), maxSocketPath)
	require.NotEmpty(t, c.DatabaseURL)
}
