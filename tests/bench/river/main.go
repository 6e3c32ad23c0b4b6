// Command river runs a part of River, the queue, for figures that stand beside it.
//
//	river migrate URL                       makes its tables
//	river maintain URL SPAN                 is the leader, whose rescuer looks for jobs that are stuck for SPAN
//	river work URL SPAN QUEUE               works the jobs of a queue, each of which takes little less than SPAN
//	river insert URL QUEUE                  adds a job to a queue
//
// Maintain and work run until they are killed, and print "ready" when they have started. SPAN is both River's
// JobTimeout and its RescueStuckJobsAfter: the least under which it leaves a job alone that lives for SPAN.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "river:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) < 2 {
		return errors.New("want migrate, maintain, work or insert, and the database's URL")
	}
	pool, err := pgxpool.New(ctx, args[1])
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	defer pool.Close()
	driver := riverpgxv5.New(pool)
	switch args[0] {
	case "migrate":
		migrator, err := rivermigrate.New(driver, nil)
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	case "maintain":
		return serve(ctx, driver, args[2], "none")
	case "work":
		return serve(ctx, driver, args[2], args[3])
	case "insert":
		inserter, err := river.NewClient(driver, &river.Config{Logger: quiet()})
		if err != nil {
			return fmt.Errorf("insert: %w", err)
		}
		_, err = inserter.Insert(ctx, finalization{}, &river.InsertOpts{Queue: args[2]})
		return err
	}
	return fmt.Errorf("%s is none of migrate, maintain, work and insert", args[0])
}

// serve works one queue, and takes its part in the maintenance.
func serve(ctx context.Context, driver *riverpgxv5.Driver, span, queue string) error {
	takes, err := time.ParseDuration(span)
	if err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &finalizer{takes: takes - takes/20})
	client, err := river.NewClient[pgx.Tx](driver, &river.Config{
		Queues:               map[string]river.QueueConfig{queue: {MaxWorkers: 1}},
		Workers:              workers,
		JobTimeout:           takes,
		RescueStuckJobsAfter: takes,
		Logger:               quiet(),
	})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	fmt.Println("ready")
	<-client.Stopped()
	return errors.New("the client has stopped")
}

// finalization is a job.
type finalization struct{}

// Kind is the job's name for River.
func (finalization) Kind() string { return "finalization" }

type finalizer struct {
	river.WorkerDefaults[finalization]
	takes time.Duration
}

// Work is alive for as long as a job takes.
func (f *finalizer) Work(ctx context.Context, _ *river.Job[finalization]) error {
	select {
	case <-time.After(f.takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
