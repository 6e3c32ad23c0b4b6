package reaper

import "context"

// meanwhile makes a call that may take long and, until it returns, recovers those who are proven dead: they wait
// neither for a pass that reads much nor for a server that does not answer. The call touches nothing that is
// Run's goroutine's.
func (r *Reaper) meanwhile(ctx context.Context, call func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	for {
		r.again.Reset(r.untilRetry())
		select {
		case <-done:
			return
		case <-ctx.Done():
			<-done
			return
		case <-r.Owners.Deaths():
			r.dead(ctx)
		case <-r.again.C:
			r.retry(ctx)
		}
	}
}

// attend is meanwhile between two calls: whoever is waiting has a turn.
func (r *Reaper) attend(ctx context.Context) {
	select {
	case <-r.Owners.Deaths():
		r.dead(ctx)
	default:
	}
	if r.untilRetry() == 0 {
		r.retry(ctx)
	}
}
