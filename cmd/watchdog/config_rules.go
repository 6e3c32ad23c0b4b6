package main

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/finalizer-watchdog/watchdog/sql"
)

// checkValues holds the settings against the rules that need nothing but the settings.
func (r *reader) checkValues() {
	c := r.config
	r.checkDatabase()
	r.require(slices.Contains(sql.Sets(), c.SQLSet), "WATCHDOG_SQL_SET", "must be the name of an embedded set: %s", strings.Join(sql.Sets(), ", "))
	r.require(isListenAddress(c.Listen), "WATCHDOG_LISTEN", "must be HOST:PORT or :PORT, with a port from 0 to 65535")

	r.checkSpans()
	r.require(c.ReaperMaxAttempts >= 1, "WATCHDOG_REAPER_MAX_ATTEMPTS", "must be at least 1")
	r.require(c.ReaperBrakeRatio >= 0 && c.ReaperBrakeRatio <= 1, "WATCHDOG_REAPER_BRAKE_RATIO", "must be a number from 0 to 1")
	r.require(c.ReaperBrakeMin >= 1, "WATCHDOG_REAPER_BRAKE_MIN", "must be at least 1")
	r.require(slices.Contains([]string{"host", "database"}, c.ReaperClock), "WATCHDOG_REAPER_CLOCK", "must be host or database")

	r.require(c.ClusterURL == "", "WATCHDOG_CLUSTER_URL",
		"must be unset: this version does not work for several pods over one database; run one replica")
	level := strings.ToLower(r.given["WATCHDOG_LOG_LEVEL"])
	r.require(slices.Contains([]string{"", "debug", "info", "warn", "error"}, level), "WATCHDOG_LOG_LEVEL", "must be debug, info, warn or error")
	r.require(slices.Contains([]string{"text", "json"}, c.LogFormat), "WATCHDOG_LOG_FORMAT", "must be text or json")
}

func isListenAddress(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || strings.ContainsAny(host, " /") {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}
