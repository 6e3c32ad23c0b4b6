package main

import (
	"fmt"
	"time"
)

// spoken writes a span for a person, to the two units that matter; its sign is the caller's to tell.
func spoken(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = d.Abs(); {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return shortDuration(d.Round(time.Second))
	case d < 2*day:
		return shortDuration(d.Round(time.Minute))
	}
	d = d.Round(time.Hour)
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}

// ago tells an instant as a reader at now sees it.
func ago(now, at time.Time) string {
	if at.After(now) {
		return "in " + spoken(at.Sub(now))
	}
	return spoken(now.Sub(at)) + " ago"
}

// moment tells an instant in full, and as a reader at now sees it.
func moment(now, at time.Time) string {
	return at.UTC().Format(time.RFC3339) + " (" + ago(now, at) + ")"
}
