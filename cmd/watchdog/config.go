package main

import (
	"log/slog"
	"time"
)

// Config holds the settings, one field an environment variable. The tags are the manual: help, the table in
// README.md and the faults found at start are all written from them.
//
//	envconfig  the variable
//	default    the value when it is unset or empty
//	unset      in words, what an unset one means, where no default can say it
//	unit       what the value is: a kind that ruleError knows, or whose type words its own
//	desc       what it does
//
// A Config that loadConfig returned without an error keeps every rule told there.
type Config struct {
	DatabaseURL       secretURL     `envconfig:"WATCHDOG_DATABASE_URL" unset:"required" unit:"URL" desc:"The orchestrator's database: postgres://USER:PASSWORD@HOST/NAME or sqlite:PATH."`
	DatabaseURLFile   string        `envconfig:"WATCHDOG_DATABASE_URL_FILE" unit:"path" desc:"A file that holds the database's URL, instead of WATCHDOG_DATABASE_URL."`
	DatabaseDirectURL secretURL     `envconfig:"WATCHDOG_DATABASE_DIRECT_URL" unset:"the database's URL" unit:"URL" desc:"The same PostgreSQL database past a pooler, for the one connection that holds a lock."`
	DatabaseTimeout   time.Duration `envconfig:"WATCHDOG_DATABASE_TIMEOUT" default:"5s" unit:"duration" desc:"How long one statement may take. At least 10ms."`
	SQLSet            string        `envconfig:"WATCHDOG_SQL_SET" default:"orchestrator" unit:"name" desc:"The embedded set of SQL statements."`
	SQLDir            string        `envconfig:"WATCHDOG_SQL_DIR" unit:"path" desc:"A folder whose statements replace those of the set with the same file name."`

	Socket            string   `envconfig:"WATCHDOG_SOCKET" default:"/run/watchdog/heartbeat.sock" unit:"path" desc:"The Unix socket for finalizers. Its folder also keeps the watchdog's state file."`
	SocketMode        fileMode `envconfig:"WATCHDOG_SOCKET_MODE" default:"0660" unit:"octal mode" desc:"The socket's permissions."`
	SocketAllowedUIDs uidList  `envconfig:"WATCHDOG_SOCKET_ALLOWED_UIDS" unset:"all whom the mode lets in" unit:"user ids" desc:"The numeric user ids that may connect, separated by commas."`
	Listen            string   `envconfig:"WATCHDOG_LISTEN" default:":9914" unit:"address" desc:"Where /metrics, /queue and the page are served, as HOST:PORT."`
	WebConfigFile     string   `envconfig:"WATCHDOG_WEB_CONFIG_FILE" unit:"path" desc:"The Prometheus exporter-toolkit's web configuration: TLS and basic auth."`

	HeartbeatLease  time.Duration `envconfig:"WATCHDOG_HEARTBEAT_LEASE" default:"15s" unit:"duration" desc:"How long a session's silence is borne; a session may ask for less, and beats every third of it. At least 1s."`
	HeartbeatWarmup time.Duration `envconfig:"WATCHDOG_HEARTBEAT_WARMUP" unset:"the lease" unit:"duration" desc:"How long after a start nothing is reaped for its age alone, while clients reconnect."`
	CheckHold       time.Duration `envconfig:"WATCHDOG_CHECK_HOLD" default:"30s" unit:"duration" desc:"The longest time for which a positive check holds the reaper off. At least 100ms."`

	ReaperInterval                 time.Duration  `envconfig:"WATCHDOG_REAPER_INTERVAL" default:"5s" unit:"duration" desc:"The time between two passes. A proven death is acted on at once. At least 10ms."`
	ReaperFinalizerLivenessEnabled bool           `envconfig:"WATCHDOG_REAPER_FINALIZER_LIVENESS_ENABLED" default:"true" unit:"true or false" desc:"The kill switch. Off: ownership has no influence, age alone decides."`
	ReaperGuardedStages            stageList      `envconfig:"WATCHDOG_REAPER_GUARDED_STAGES" default:"deploy-staging" unit:"stages" desc:"The stages whose finalizers' ownership is honoured, separated by commas; * for all."`
	ReaperFinalizeGrace            time.Duration  `envconfig:"WATCHDOG_REAPER_FINALIZE_GRACE" default:"2m" unit:"duration" desc:"How long after its run finished a job that nobody owns may stay unfinalized."`
	ReaperCeiling                  time.Duration  `envconfig:"WATCHDOG_REAPER_CEILING" default:"2h" unit:"duration" desc:"The age at which a job is reaped whatever else is true: the backstop."`
	ReaperStageGrace               stageDurations `envconfig:"WATCHDOG_REAPER_STAGE_GRACE" unit:"stage=duration" desc:"The grace of single stages, such as deploy-staging=10m,review=1m."`
	ReaperStageCeiling             stageDurations `envconfig:"WATCHDOG_REAPER_STAGE_CEILING" unit:"stage=duration" desc:"The ceiling of single stages, such as deploy-staging=4h."`
	ReaperClock                    string         `envconfig:"WATCHDOG_REAPER_CLOCK" default:"host" unit:"host or database" desc:"Whose clock stamps the rows."`
	ReaperReapStalled              bool           `envconfig:"WATCHDOG_REAPER_REAP_STALLED" default:"false" unit:"true or false" desc:"Whether an owner that is connected but silent, or past its step's budget, loses its protection."`
	ReaperPIDCheck                 bool           `envconfig:"WATCHDOG_REAPER_PID_CHECK" default:"false" unit:"true or false" desc:"Whether a run whose process id is gone from this host counts as dead."`
	ReaperMaxAttempts              int            `envconfig:"WATCHDOG_REAPER_MAX_ATTEMPTS" default:"3" unit:"whole number" desc:"After so many attempts a reaped job is failed, not requeued."`
	ReaperBrakeRatio               float64        `envconfig:"WATCHDOG_REAPER_BRAKE_RATIO" default:"0.5" unit:"ratio" desc:"The brake: when more than this part of the open jobs would be reaped for their age within one grace, none is."`
	ReaperBrakeMin                 int            `envconfig:"WATCHDOG_REAPER_BRAKE_MIN" default:"10" unit:"whole number" desc:"The brake never acts on fewer jobs than this."`
	ReaperDryRun                   bool           `envconfig:"WATCHDOG_REAPER_DRY_RUN" default:"false" unit:"true or false" desc:"Judge, count and explain, but write nothing and revoke nothing."`

	ClusterURL secretURL  `envconfig:"WATCHDOG_CLUSTER_URL" unit:"URL" desc:"Reserved for several pods over one database. This version refuses it."`
	LogLevel   slog.Level `envconfig:"WATCHDOG_LOG_LEVEL" default:"info" unit:"debug, info, warn or error" desc:"The least level that is logged. Audit lines always are."`
	LogFormat  string     `envconfig:"WATCHDOG_LOG_FORMAT" default:"text" unit:"text or json" desc:"The form of the log on standard error; json for machines."`
}

// loadConfig reads the settings from env (NAME=value; an empty value counts as unset) and checks them all,
// the files and folders that they name included. Its error is a faults: all that is wrong, at once, and no
// secret in it. It opens nothing but the file that holds the database's URL.
func loadConfig(env []string) (Config, error) {
	r := readSettings(env)
	r.checkValues()
	r.checkPlaces()
	return r.result()
}

// loadDatabaseConfig is loadConfig for a command that serves nothing: whether the socket and the web
// server's files could be used here is left aside.
func loadDatabaseConfig(env []string) (Config, error) {
	r := readSettings(env)
	r.checkValues()
	return r.result()
}

// setting returns the value that env, or else the default, gives one variable, unchecked: for commands that
// talk to a running watchdog and want to know only where it is.
func setting(env []string, variable string) string {
	if given := lookup(env, variable); given != "" {
		return given
	}
	for _, s := range settings() {
		if s.variable == variable {
			return s.byDefault
		}
	}
	return ""
}
