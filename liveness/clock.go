package liveness

import (
	"sync/atomic"
	"time"
)

// Clock is Boottime without a call of the kernel each time. It never tells less than Boottime does, at most alike more,
// and never less than it told before. It is safe for concurrent use.
//
// Go reads the wall clock and the monotonic one in the process. A suspension moves the wall clock and not the monotonic
// one, by as much as CLOCK_BOOTTIME: as long as the two have moved alike since all three were read, the third has too.
// When they have not, for the machine was suspended or its wall clock was set, the kernel is asked.
type Clock struct {
	began time.Time
	last  atomic.Pointer[moment] // at which the kernel was asked
}

// alike is how far apart two clocks that are read one after the other may be found: more than that takes, less than any
// suspension.
const alike = 50 * time.Microsecond

// moment is an instant by three clocks.
type moment struct{ wall, awake, boot time.Duration }

// NewClock returns a clock that has not been read.
func NewClock() *Clock { return &Clock{began: time.Now()} }

// Now is Boottime.
func (c *Clock) Now() time.Duration {
	at := time.Now()
	last, now := c.last.Load(), moment{wall: time.Duration(at.UnixNano()), awake: at.Sub(c.began)}
	if last != nil && last.sure(now) {
		return last.tell(now)
	}
	now.boot = Boottime()
	if last != nil {
		now.boot = max(now.boot, last.tell(now))
	}
	if time.Since(at) < alike {
		c.last.CompareAndSwap(last, new(now))
	}
	return now.boot
}

// tell is CLOCK_BOOTTIME at a later moment, unless the machine was suspended in between.
func (m moment) tell(now moment) time.Duration { return m.boot + now.awake - m.awake }

// sure reports whether the machine was not suspended in between.
func (m moment) sure(now moment) bool {
	apart := now.wall - m.wall - (now.awake - m.awake)
	return -alike < apart && apart < alike
}
