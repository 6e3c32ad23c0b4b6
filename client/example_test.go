package client_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/finalizer-watchdog/watchdog/client"
)

// Here is no watchdog, and the finalizer does what it would do without one.
func Example() {
	watchdog := client.New(client.Options{Socket: "no/such/socket", Name: "orchestrator-0"}) // once a process
	defer watchdog.Close()
	fmt.Println(finalize(context.Background(), watchdog))
	// Output:
	// re-tested
	// merged
	// <nil>
}

func finalize(ctx context.Context, watchdog *client.Client) error {
	owned, err := watchdog.Mark(ctx, client.Job{ID: "1914", Run: "2207", Stage: "deploy-staging"})
	if err != nil {
		return err // another finalizer has the job, or it was taken from this one
	}
	defer owned.Clear()

	owned.Step("merge-gate re-test", 30*time.Minute)   // shown in /queue; past its budget it counts as stalled
	if err := retest(owned.Context(ctx)); err != nil { // a context that ends when the ownership is revoked
		return err
	}
	if !owned.Check(ctx).Proceed(client.UnlessRevoked) {
		return errors.New("the job was taken from this finalizer")
	}
	return merge(ctx) // alone, while the check's hold runs
}

func retest(ctx context.Context) error {
	fmt.Println("re-tested")
	return ctx.Err()
}

func merge(ctx context.Context) error {
	fmt.Println("merged")
	return ctx.Err()
}
