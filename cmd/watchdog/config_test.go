package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sound returns an environment without a fault, with the given pairs put over it.
func sound(t *testing.T, over ...string) []string {
	t.Helper()
	return append(slices.Clone(over),
		"WATCHDOG_DATABASE_URL=postgres://orchestrator:hunter2@db.example/orch",
		"WATCHDOG_SOCKET="+filepath.Join(t.TempDir(), "hb.sock"))
}

// faultsOf returns the lines of what is wrong with an environment.
func faultsOf(t *testing.T, env []string) []string {
	t.Helper()
	c, err := loadConfig(env)
	if err == nil {
		return nil
	}
	assert.Zero(t, c, "a faulty Config must not get out")
	return strings.Split(err.Error(), "\n")
}

func TestDefaults(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "hb.sock")
	c, err := loadConfig([]string{"WATCHDOG_DATABASE_URL=sqlite:orch.db", "WATCHDOG_SOCKET=" + socket})
	require.NoError(t, err)
	assert.Equal(t, Config{
		DatabaseURL:                    "sqlite:orch.db",
		DatabaseDirectURL:              "sqlite:orch.db",
		DatabaseTimeout:                5 * time.Second,
		SQLSet:                         "orchestrator",
		Socket:                         socket,
		SocketMode:                     0o660,
		Listen:                         ":9914",
		HeartbeatLease:                 15 * time.Second,
		HeartbeatWarmup:                15 * time.Second,
		CheckHold:                      30 * time.Second,
		ReaperInterval:                 5 * time.Second,
		ReaperFinalizerLivenessEnabled: true,
		ReaperGuardedStages:            stageList{"deploy-staging"},
		ReaperFinalizeGrace:            2 * time.Minute,
		ReaperCeiling:                  2 * time.Hour,
		ReaperClock:                    "host",
		ReaperMaxAttempts:              3,
		ReaperBrakeRatio:               0.5,
		ReaperBrakeMin:                 10,
		LogLevel:                       slog.LevelInfo,
		LogFormat:                      "text",
	}, c)
	assert.Equal(t, "/run/watchdog/heartbeat.sock", setting(nil, "WATCHDOG_SOCKET"))
	assert.Equal(t, "/s", setting([]string{"WATCHDOG_SOCKET=/s"}, "WATCHDOG_SOCKET"))
}

func TestEverySettingIsRead(t *testing.T) {
	dir := t.TempDir()
	web := filepath.Join(t.TempDir(), "web.yml")
	require.NoError(t, os.WriteFile(web, nil, 0o600))
	socket := filepath.Join(dir, "hb.sock")

	c, err := loadConfig([]string{
		"WATCHDOG_DATABASE_URL=postgres://u@h/d", "WATCHDOG_DATABASE_DIRECT_URL=postgresql://u@direct/d",
		"WATCHDOG_DATABASE_TIMEOUT=1s", "WATCHDOG_SQL_SET=orchestrator", "WATCHDOG_SQL_DIR=" + dir,
		"WATCHDOG_SOCKET=" + socket, "WATCHDOG_SOCKET_MODE=600", "WATCHDOG_SOCKET_ALLOWED_UIDS=0, 010",
		"WATCHDOG_LISTEN=[::1]:0", "WATCHDOG_WEB_CONFIG_FILE=" + web,
		"WATCHDOG_HEARTBEAT_LEASE=1s", "WATCHDOG_HEARTBEAT_WARMUP=2s", "WATCHDOG_CHECK_HOLD=3s",
		"WATCHDOG_REAPER_INTERVAL=4s", "WATCHDOG_REAPER_FINALIZER_LIVENESS_ENABLED=false",
		"WATCHDOG_REAPER_GUARDED_STAGES=a , b", "WATCHDOG_REAPER_FINALIZE_GRACE=1m", "WATCHDOG_REAPER_CEILING=1h",
		"WATCHDOG_REAPER_STAGE_GRACE=a=10m, b=5s", "WATCHDOG_REAPER_STAGE_CEILING=a=11m",
		"WATCHDOG_REAPER_CLOCK=database", "WATCHDOG_REAPER_REAP_STALLED=true", "WATCHDOG_REAPER_PID_CHECK=1",
		"WATCHDOG_REAPER_MAX_ATTEMPTS=1", "WATCHDOG_REAPER_BRAKE_RATIO=1", "WATCHDOG_REAPER_BRAKE_MIN=2",
		"WATCHDOG_REAPER_DRY_RUN=true", "WATCHDOG_LOG_LEVEL=warn", "WATCHDOG_LOG_FORMAT=json",
	})
	require.NoError(t, err)
	assert.Equal(t, Config{
		DatabaseURL: "postgres://u@h/d", DatabaseDirectURL: "postgresql://u@direct/d",
		DatabaseTimeout: time.Second, SQLSet: "orchestrator", SQLDir: dir,
		Socket: socket, SocketMode: 0o600, SocketAllowedUIDs: uidList{0, 10}, Listen: "[::1]:0", WebConfigFile: web,
		HeartbeatLease: time.Second, HeartbeatWarmup: 2 * time.Second, CheckHold: 3 * time.Second,
		ReaperInterval: 4 * time.Second, ReaperGuardedStages: stageList{"a", "b"},
		ReaperFinalizeGrace: time.Minute, ReaperCeiling: time.Hour,
		ReaperStageGrace:   stageDurations{"a": 10 * time.Minute, "b": 5 * time.Second},
		ReaperStageCeiling: stageDurations{"a": 11 * time.Minute},
		ReaperClock:        "database", ReaperReapStalled: true, ReaperPIDCheck: true, ReaperMaxAttempts: 1,
		ReaperBrakeRatio: 1, ReaperBrakeMin: 2, ReaperDryRun: true, LogLevel: slog.LevelWarn, LogFormat: "json",
	}, c)
}

func TestAnEmptyValueCountsAsUnset(t *testing.T) {
	var env []string
	for _, s := range settings() {
		env = append(env, s.variable+"=")
	}
	lines := faultsOf(t, env)
	require.NotEmpty(t, lines)
	assert.Contains(t, lines[0], "WATCHDOG_DATABASE_URL: must be set")

	c, err := loadDatabaseConfig(append([]string{"WATCHDOG_DATABASE_URL=sqlite:x"}, env...))
	require.NoError(t, err)
	assert.Equal(t, 2*time.Hour, c.ReaperCeiling)
}

// TestTheProcessEnvironmentIsLeftAlone guards against envconfig, which reads it by itself.
func TestTheProcessEnvironmentIsLeftAlone(t *testing.T) {
	for _, name := range []string{"LISTEN", "WATCHDOG_LISTEN", "_LISTEN"} {
		t.Setenv(name, ":1")
	}
	c, err := loadConfig(sound(t))
	require.NoError(t, err)
	assert.Equal(t, ":9914", c.Listen)
}

func TestAllFaultsAtOnce(t *testing.T) {
	lines := faultsOf(t, sound(t,
		"WATCHDOG_REAPER_CEILING=2 hours", "WATCHDOG_REAPER_BRAKE_RATIO=NaN", "WATCHDOG_LISTN=:1",
		"WATCHDOG_LOG_FORMAT=xml", "WATCHDOG_REAPER_FINALIZE_GRACE=10s"))
	assert.Equal(t, []string{
		`WATCHDOG_REAPER_CEILING="2 hours": must be a duration as Go writes it, such as 90s or 2h`,
		`WATCHDOG_LISTN: no such setting; did you mean WATCHDOG_LISTEN?`,
		`WATCHDOG_HEARTBEAT_LEASE=15s (the default): must be shorter than WATCHDOG_REAPER_FINALIZE_GRACE (10s)`,
		`WATCHDOG_REAPER_BRAKE_RATIO="NaN": must be a number from 0 to 1`,
		`WATCHDOG_LOG_FORMAT="xml": must be text or json`,
	}, lines)
}

// TestEachRule breaks one rule at a time: the fault must be the only one, and name the variable, the value
// and the rule.
func TestEachRule(t *testing.T) {
	long := "/" + strings.Repeat("x", 107)
	for _, test := range []struct{ pair, rule string }{
		{"WATCHDOG_DATABASE_TIMEOUT=0s", "longer than 0"},
		{"WATCHDOG_DATABASE_TIMEOUT=5", "a duration"},
		{"WATCHDOG_DATABASE_TIMEOUT=9ms", "at least 10ms: with less, no statement is quicker"},
		{"WATCHDOG_HEARTBEAT_LEASE=0s", "longer than 0"},
		{"WATCHDOG_HEARTBEAT_LEASE=soon", "a duration"},
		{"WATCHDOG_HEARTBEAT_LEASE=999ms", "at least 1s"},
		{"WATCHDOG_HEARTBEAT_LEASE=2m", "shorter than WATCHDOG_REAPER_FINALIZE_GRACE (2m)"},
		{"WATCHDOG_HEARTBEAT_WARMUP=0s", "longer than 0"},
		{"WATCHDOG_HEARTBEAT_WARMUP=-1s", "longer than 0"},
		{"WATCHDOG_HEARTBEAT_WARMUP=2562047h", "shorter than WATCHDOG_REAPER_CEILING (2h)"},
		{"WATCHDOG_CHECK_HOLD=99ms", "at least 100ms"},
		{"WATCHDOG_REAPER_INTERVAL=1ns", "at least 10ms"},
		{"WATCHDOG_CHECK_HOLD=0s", "longer than 0"},
		{"WATCHDOG_CHECK_HOLD=2h", "shorter than WATCHDOG_REAPER_CEILING (2h)"},
		{"WATCHDOG_REAPER_INTERVAL=2m", "shorter than WATCHDOG_REAPER_FINALIZE_GRACE (2m)"},
		{"WATCHDOG_REAPER_INTERVAL=-5s", "longer than 0"},
		{"WATCHDOG_REAPER_FINALIZE_GRACE=2h", "shorter than WATCHDOG_REAPER_CEILING (2h)"},
		{"WATCHDOG_REAPER_FINALIZE_GRACE=0", "longer than 0"},
		{"WATCHDOG_REAPER_CEILING=0", "longer than 0"},
		{"WATCHDOG_REAPER_STAGE_GRACE=a=3m,b=3h", "b must be shorter than WATCHDOG_REAPER_CEILING (2h)"},
		{"WATCHDOG_REAPER_STAGE_GRACE=a=-1m", "longer than 0"},
		{"WATCHDOG_REAPER_STAGE_GRACE=a:10m", `"a:10m" is none`},
		{"WATCHDOG_REAPER_STAGE_GRACE==10m", `"=10m" is none`},
		{"WATCHDOG_REAPER_STAGE_GRACE=a=3m,a=4m", `"a" is there twice`},
		{"WATCHDOG_REAPER_STAGE_CEILING=a=0s", "longer than 0"},
		{"WATCHDOG_REAPER_GUARDED_STAGES=a,,b", "one is empty"},
		{"WATCHDOG_REAPER_CLOCK=mine", "host or database"},
		{"WATCHDOG_REAPER_FINALIZER_LIVENESS_ENABLED=yes", "true or false"},
		{"WATCHDOG_REAPER_MAX_ATTEMPTS=0", "at least 1"},
		{"WATCHDOG_REAPER_MAX_ATTEMPTS=many", "a whole number"},
		{"WATCHDOG_REAPER_BRAKE_RATIO=1.5", "from 0 to 1"},
		{"WATCHDOG_REAPER_BRAKE_RATIO=-0.1", "from 0 to 1"},
		{"WATCHDOG_REAPER_BRAKE_RATIO=half", "from 0 to 1"},
		{"WATCHDOG_REAPER_BRAKE_MIN=0", "at least 1"},
		{"WATCHDOG_SOCKET=" + long, "at most 107 bytes; it has 108"},
		{"WATCHDOG_SOCKET=/no/such/folder/hb.sock", "a folder that exists; /no/such/folder does not"},
		{"WATCHDOG_SOCKET=/usr", "it is a folder"},
		{"WATCHDOG_SOCKET_MODE=0888", "octal number from 0 to 0777"},
		{"WATCHDOG_SOCKET_MODE=1777", "octal number from 0 to 0777"},
		{"WATCHDOG_SOCKET_ALLOWED_UIDS=0,root", `"root" is none`},
		{"WATCHDOG_SOCKET_ALLOWED_UIDS=4294967296", "user ids"},
		{"WATCHDOG_LISTEN=9914", "HOST:PORT"},
		{"WATCHDOG_LISTEN=:65536", "port from 0 to 65535"},
		{"WATCHDOG_LISTEN=a b:1", "HOST:PORT"},
		{"WATCHDOG_SOCKET=@watchdog", "must be a file's path"},
		{"WATCHDOG_SQL_SET=river", "must be the name of an embedded set: orchestrator"},
		{"WATCHDOG_SQL_DIR=/no/such/folder", "a folder"},
		{"WATCHDOG_WEB_CONFIG_FILE=/no/such/file", "no such file or directory"},
		{"WATCHDOG_WEB_CONFIG_FILE=/usr", "is a directory"},
		{"WATCHDOG_LOG_LEVEL=loud", "debug, info, warn or error"},
		{"WATCHDOG_LOG_LEVEL=info+2", "debug, info, warn or error"},
		{"WATCHDOG_LOG_FORMAT=logfmt", "text or json"},
		{"WATCHDOG_DATABASE_DIRECT_URL=sqlite:x", "must be postgres://"},
		{"WATCHDOG_CLUSTER_URL=postgres://u@h/d", "several pods"},
	} {
		name, value, _ := strings.Cut(test.pair, "=")
		lines := faultsOf(t, sound(t, test.pair))
		if !assert.NotEmpty(t, lines, test.pair) {
			continue
		}
		if name != "WATCHDOG_SOCKET" {
			assert.Len(t, lines, 1, test.pair)
		}
		assert.Contains(t, lines[0], name+"=", test.pair)
		assert.Contains(t, lines[0], value, test.pair)
		assert.Contains(t, strings.Join(lines, "\n"), test.rule, test.pair)
	}
}

func TestStageOrder(t *testing.T) {
	assert.Equal(t, []string{
		`WATCHDOG_HEARTBEAT_LEASE=15s (the default): must be shorter than WATCHDOG_REAPER_STAGE_GRACE's a (4s)`,
		`WATCHDOG_REAPER_INTERVAL=5s (the default): must be shorter than WATCHDOG_REAPER_STAGE_GRACE's a (4s)`,
		`WATCHDOG_REAPER_FINALIZE_GRACE=2m (the default): must be shorter than WATCHDOG_REAPER_STAGE_CEILING's b (20s)`,
		`WATCHDOG_CHECK_HOLD=30s (the default): must be shorter than WATCHDOG_REAPER_STAGE_CEILING's b (20s)`,
		`WATCHDOG_REAPER_STAGE_GRACE="a=4s,c=10m": c must be shorter than WATCHDOG_REAPER_STAGE_CEILING's c (10m)`,
	}, faultsOf(t, sound(t, "WATCHDOG_REAPER_STAGE_GRACE=a=4s,c=10m", "WATCHDOG_REAPER_STAGE_CEILING=b=20s,c=10m")))

	assert.Empty(t, faultsOf(t, sound(t, "WATCHDOG_REAPER_STAGE_GRACE=a=3h", "WATCHDOG_REAPER_STAGE_CEILING=a=4h")),
		"a stage's own grace is held against its own ceiling")
}

func TestUnknownVariables(t *testing.T) {
	assert.Empty(t, faultsOf(t, sound(t, "WATCHDOG_USEC=1", "WATCHDOG_PID=2", "OTHER=1",
		"WATCHDOG_SERVICE_HOST=10.0.0.1", "WATCHDOG_SERVICE_PORT=1", "WATCHDOG_SERVICE_PORT_HTTP=1", "WATCHDOG_PORT=tcp://10.0.0.1:9914",
		"WATCHDOG_PORT_9914_TCP=tcp://10.0.0.1:9914", "WATCHDOG_PORT_9914_TCP_PROTO=tcp", "WATCHDOG_PORT_9914_TCP_PORT=9914",
		"WATCHDOG_PORT_9914_TCP_ADDR=10.0.0.1", "WATCHDOG_METRICS_SERVICE_HOST=fd00::1", "WATCHDOG_METRICS_SERVICE_PORT=1",
		"WATCHDOG_METRICS_PORT=udp://[fd00::1]:53")), "what Kubernetes derives from services")
	for _, pair := range []string{"WATCHDOG_FOO=hunter2", "WATCHDOG_=hunter2", "WATCHDOG_USEC_=hunter2", "WATCHDOG_SUPPORT=hunter2",
		"WATCHDOG_LISTEN_PORT=9000", "WATCHDOG_DATABASE_PORT=5432", "WATCHDOG_PORT=9914", "WATCHDOG_SERVICE_PORT=9914",
		"WATCHDOG_DATABASE_SERVICE_HOST=10.0.0.1", "WATCHDOG_PORT_9914_TCP=9914", "WATCHDOG_PORT_9914_TCP_ADDR=h"} {
		name, value, _ := strings.Cut(pair, "=")
		lines := faultsOf(t, sound(t, pair))
		require.Len(t, lines, 1, name)
		assert.Contains(t, lines[0], name+": no such setting")
		assert.NotContains(t, lines[0], "="+value)
	}
}

func TestSuggestions(t *testing.T) {
	for name, want := range map[string]string{
		"WATCHDOG_LEASE":       "did you mean WATCHDOG_HEARTBEAT_LEASE?",
		"WATCHDOG_GRACE":       "did you mean WATCHDOG_REAPER_FINALIZE_GRACE or WATCHDOG_REAPER_STAGE_GRACE?",
		"WATCHDOG_LISTN":       "did you mean WATCHDOG_LISTEN?",
		"WATCHDOG_LISTEN_PORT": "did you mean WATCHDOG_LISTEN?",
	} {
		lines := faultsOf(t, sound(t, name+"=1"))
		require.Len(t, lines, 1, name)
		assert.Contains(t, lines[0], "; "+want)
	}
}

func TestValuesShowWhatIsInForce(t *testing.T) {
	c, err := loadConfig(sound(t, "WATCHDOG_REAPER_STAGE_GRACE=b=90s,a=10m", "WATCHDOG_SOCKET_ALLOWED_UIDS=0,7"))
	require.NoError(t, err)
	values := c.values()
	for variable, want := range map[string]string{
		"WATCHDOG_DATABASE_URL":          "postgres://orchestrator@db.example/orch",
		"WATCHDOG_DATABASE_DIRECT_URL":   "postgres://orchestrator@db.example/orch",
		"WATCHDOG_HEARTBEAT_WARMUP":      "15s",
		"WATCHDOG_REAPER_CEILING":        "2h",
		"WATCHDOG_REAPER_FINALIZE_GRACE": "2m",
		"WATCHDOG_REAPER_STAGE_GRACE":    "a=10m,b=1m30s",
		"WATCHDOG_SOCKET_ALLOWED_UIDS":   "0,7",
		"WATCHDOG_SOCKET_MODE":           "0660",
		"WATCHDOG_LOG_LEVEL":             "INFO",
		"WATCHDOG_SQL_DIR":               "",
	} {
		assert.Equal(t, want, values[variable], variable)
	}
	assert.Len(t, values, len(settings()))
	assert.NotContains(t, fmt.Sprint(values), "hunter2")
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", c, c, c), "hunter2")
	encoded, err := json.Marshal(c)
	require.NoError(t, err)
	assert.NotContains(t, string(encoded), "hunter2")
}
