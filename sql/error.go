package sql

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// fail names what was being done, and keeps secrets out of what is told.
func (s *source) fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	if text := s.masked(err.Error()); text != err.Error() {
		err = errors.New(text)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (s *source) masked(text string) string {
	if s.hide == nil {
		return text
	}
	return s.hide.Replace(text)
}

// failed is fail for a call that had a context: drivers tell its end in their own ways (lib/pq as a cancelled
// statement), the context's cause is the truth.
func (s *source) failed(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %w", doing, cause)
	}
	return s.fail(doing, err)
}

// bounded gives one call its time.
func (s *source) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.timeout, silentError(s.timeout))
}

// silentError is the end of a call that took longer than its timeout.
type silentError time.Duration

func (e silentError) Error() string {
	return fmt.Sprintf("the database did not answer within %s", time.Duration(e))
}

// Is makes it a deadline's end for whoever asks.
func (silentError) Is(target error) bool { return target == context.DeadlineExceeded }
