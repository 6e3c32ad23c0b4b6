// Package client tells the watchdog that a finalizer lives, and asks it whether the finalizer may go on.
//
//	watchdog := client.New(client.Options{Name: "orchestrator-0"})
//	defer watchdog.Close()
//
//	owned, err := watchdog.Mark(ctx, client.Job{ID: "1914", Run: "2207", Stage: "deploy-staging"})
//	if err != nil {
//		return err // another finalizer has the job
//	}
//	defer owned.Clear()
//	owned.Step("merge-gate re-test", 30*time.Minute)
//	...
//	if !owned.Check(ctx).Proceed(client.UnlessRevoked) {
//		return errors.New("the job was taken from this finalizer")
//	}
//	merge()
//
// Nothing here raises into the caller's code or holds it up: with a watchdog that is absent, silent or talks
// nonsense, Mark returns an ownership that does nothing, Check answers Unknown, and both return within
// Options.Timeout; once the watchdog is known to be away they do not wait at all. When it comes, or comes back,
// what is owned is marked or resumed before anything else is asked.
//
// A Client has one connection however much it owns, and two goroutines at most: one that connects, beats and
// writes, and one that reads. The first Mark starts them, Close waits for their end. The state of each ownership
// says what is still to be sent, so that what is kept does not grow with the time for which the watchdog is away.
//
// Ownership is of the process that connected. Do not use a Client after a fork.
package client
