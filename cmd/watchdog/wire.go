package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/liveness"
	"github.com/finalizer-watchdog/watchdog/metrics"
	"github.com/finalizer-watchdog/watchdog/reaper"
	"github.com/finalizer-watchdog/watchdog/sql"
	"github.com/finalizer-watchdog/watchdog/web"
)

// pageTimeout is how long a page waits for the database at most: the page's script and watchdog explain wait a little
// longer, and would take the watchdog for the one that does not answer.
const pageTimeout = 5 * time.Second

// serve opens everything that the settings name, in the order in which a mistake costs least, and runs it
// until ctx ends.
func serve(ctx context.Context, config Config, logs loggers) (err error) {
	closing := func(what string, close func() error) {
		if failed := close(); failed != nil {
			err = errors.Join(err, fmt.Errorf("close %s: %w", what, failed))
		}
	}
	store, err := sql.Open(config.database(config.DatabaseURL))
	if err != nil {
		return err
	}
	defer closing("database", store.Close)
	exclusive, err := sql.NewExclusive(config.database(config.DatabaseDirectURL))
	if err != nil {
		return err
	}
	defer closing("exclusive lock", exclusive.Close)
	socket, err := liveness.Listen(ctx, config.Socket, fs.FileMode(config.SocketMode))
	if err != nil {
		return err
	}
	defer closing("socket", socket.Close)
	state, found, err := openState(config)
	if err != nil {
		return err
	}
	defer closing("state file", state.Close)
	started := liveness.Boottime()
	if until := found.HeldUntil(started, config.CheckHold); until != 0 {
		logs.log.Warn("the state file was damaged: every job counts as held, for a hold that it told of may be running",
			"until", time.Now().Add(until-started))
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", config.Listen)
	if err != nil {
		return fmt.Errorf("listen on WATCHDOG_LISTEN: %w", err)
	}

	p := assemble(config, logs, store, state, found)
	p.reaper.Exclusive = exclusive.Hold
	server := &web.Server{Listener: listener, Handler: web.Handler(p.pages(config, socket)),
		ConfigFile: config.WebConfigFile, Logger: logs.log}
	logs.log.Info("the watchdog serves", "version", thisBuild().version, "socket", config.Socket,
		"listen", listener.Addr().String(), "database", config.DatabaseURL.String(), "dry_run", config.ReaperDryRun,
		"finalizer_liveness", config.ReaperFinalizerLivenessEnabled)
	return together(ctx, p.reaper.Run, server.Run, func(ctx context.Context) error { return p.server.Run(ctx, socket) })
}

// program is the parts that know each other only by what they need.
type program struct {
	clock    *liveness.Clock
	started  time.Duration
	registry *liveness.Registry
	server   *liveness.Server
	reaper   *reaper.Reaper
	metrics  http.Handler
}

func assemble(config Config, logs loggers, store *sql.Store, state *liveness.State, found liveness.Recovered) *program {
	series := metrics.NewRegistry()
	clock := liveness.NewClock()
	p := &program{clock: clock, started: clock.Now(), metrics: metrics.Handler(series, logs.log)}
	policy := config.policy()
	limits, connections := room(memoryLimit())
	enabled := new(atomic.Bool)
	enabled.Store(config.ReaperFinalizerLivenessEnabled)
	built := thisBuild()
	observer := metrics.New(series, metrics.Options{
		Stages: policy.Stages(),
		Owners: func() watchdog.Owners { return p.registry.Count(clock.Now()) },
		Status: func() watchdog.Status { return p.reaper.Status() },
		Now:    func() watchdog.Instant { return watchdog.Instant{Rows: time.Now().Round(0), Boot: clock.Now()} },
		Build:  metrics.Build{Version: built.version, Commit: built.commit, GoVersion: built.goRel},
	})
	p.registry = liveness.NewRegistry(liveness.Config{
		Lease:    config.HeartbeatLease,
		Hold:     config.CheckHold,
		Grace:    policy.LongestGrace(),
		Limits:   limits,
		Stages:   policy.Stages(),
		Rules:    &policy,
		Enabled:  enabled.Load,
		Observer: observer,
	}, found.Bound, state.Bound())
	p.registry.Restore(found.Holds, found.HeldUntil(p.started, config.CheckHold))
	p.reaper = reaper.New(reaper.Options{
		Policy:        policy,
		Interval:      config.ReaperInterval,
		Warmup:        config.HeartbeatWarmup,
		DryRun:        config.ReaperDryRun,
		Liveness:      enabled,
		Store:         reaperStore{store},
		Owners:        p.registry,
		Observer:      observer,
		Boot:          clock.Now,
		DatabaseClock: config.ReaperClock == "database",
		PIDGone:       pidGone(config.ReaperPIDCheck),
		Log:           logs.log,
		Audit:         logs.audit,
	})
	p.server = &liveness.Server{
		Registry:    p.registry,
		State:       state,
		Rows:        p.reaper,
		Controls:    controls{p, config},
		Boot:        clock.Now,
		Connections: min(connections, descriptors()),
		AllowedUIDs: config.SocketAllowedUIDs,
		Log:         logs.log,
		Audit:       logs.audit,
	}
	return p
}

func (p *program) pages(config Config, socket *liveness.Socket) web.Config {
	return web.Config{
		Source: p.reaper,
		Status: p.reaper.Status,
		Owners: func() watchdog.Owners { return p.registry.Count(p.clock.Now()) },
		Ready: func() error {
			if socket.Ours() {
				return nil
			}
			if _, err := os.Lstat(config.Socket); err == nil {
				return fmt.Errorf("another file is in its place; remove %s, and it is made again", config.Socket)
			}
			return errors.New("its file was removed; it is being made again")
		},
		Metrics:  p.metrics,
		Settings: config.values(),
		Version:  thisBuild().version,
		Timeout:  min(config.DatabaseTimeout, pageTimeout),
	}
}

func openState(config Config) (*liveness.State, liveness.Recovered, error) {
	boot, err := liveness.BootID()
	if err != nil {
		return nil, liveness.Recovered{}, err
	}
	return liveness.OpenState(config.Socket+".state", boot, liveness.Boottime(), time.Now())
}

// pidGone reports that there is no process of an id; nil when that is not to be asked.
func pidGone(asked bool) func(int64) bool {
	if !asked {
		return nil
	}
	return func(pid int64) bool {
		return pid > 0 && errors.Is(syscall.Kill(int(pid), 0), syscall.ESRCH)
	}
}

// reaperStore is the store as the reaper wants it: Go does not take a *sql.Tx for an interface in a result.
type reaperStore struct{ *sql.Store }

func (s reaperStore) Begin(ctx context.Context) (reaper.Tx, error) { return s.Store.Begin(ctx) }
