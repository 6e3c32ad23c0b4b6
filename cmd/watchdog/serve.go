package main

import (
	"context"
	"errors"
	"sync"
)

func runServe(ctx context.Context, c *command) int {
	if status, ok := c.parse(c.flags(), 0, 0); !ok {
		return status
	}
	config, err := loadConfig(c.env)
	if err != nil {
		return c.refuseSettings(err)
	}
	logs := newLoggers(c.stderr, config)
	if err := serve(ctx, config, logs); err != nil {
		logs.log.Error("the watchdog ends", "error", err)
		return exitFailed
	}
	logs.log.Info("the watchdog ends", "because", context.Cause(ctx))
	return exitOK
}

var errEnded = errors.New("a part of the watchdog ended by itself")

// together runs the services until ctx ends or the first of them returns, which ends the others, and
// returns their errors joined. A service that returns while ctx goes on has failed, whatever it says.
func together(ctx context.Context, services ...func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(services))
	var group sync.WaitGroup
	for i, service := range services {
		group.Go(func() {
			defer stop()
			errs[i] = service(ctx)
			if errs[i] == nil && ctx.Err() == nil {
				errs[i] = errEnded
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
