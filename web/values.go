package web

import (
	"math"
	"time"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// text is null when empty.
func text(s string) *string { return known(s) }

// known is null when v is its type's zero, which is how the root package says unknown.
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// instant writes RFC 3339 in UTC, to the microsecond that databases keep. It is null when unknown and for a
// year that RFC 3339 cannot write: a bad row must not cost the page.
func instant(t time.Time) *string {
	t = t.UTC()
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return nil
	}
	return text(t.Truncate(time.Microsecond).Format(time.RFC3339Nano))
}

// onRows writes a moment of the boot clock; null when it is 0.
func onRows(now watchdog.Instant, boot time.Duration) *string {
	if boot == 0 {
		return nil
	}
	return instant(now.At(boot))
}

// seconds is a span to the millisecond.
func seconds(d time.Duration) float64 {
	return math.Round(d.Seconds()*1e3) / 1e3
}

// age is the span from then to now, negative when then is yet to come; null when then is unknown.
func age(now, then time.Time) *float64 {
	if then.IsZero() {
		return nil
	}
	return new(seconds(now.Sub(then)))
}
