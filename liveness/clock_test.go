package liveness

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTheClockAsksTheKernelAfterASuspension(t *testing.T) {
	const alike = alike - 1
	then := moment{wall: 100 * time.Hour, awake: time.Hour, boot: 2 * time.Hour}
	for what, c := range map[string]struct {
		wall, awake time.Duration // that have passed
		sure        bool
	}{
		"nothing":                             {sure: true},
		"a day awake":                         {wall: 24 * time.Hour, awake: 24 * time.Hour, sure: true},
		"read one after the other":            {wall: time.Hour - alike, awake: time.Hour, sure: true},
		"read the other way round":            {wall: time.Hour + alike, awake: time.Hour, sure: true},
		"suspended for an instant":            {wall: time.Hour + alike + 1, awake: time.Hour},
		"suspended for a day":                 {wall: 25 * time.Hour, awake: time.Hour},
		"the wall clock was set back":         {wall: -time.Hour, awake: time.Second},
		"suspended, and set back but in part": {wall: time.Hour + time.Millisecond, awake: time.Hour},
	} {
		now := moment{wall: then.wall + c.wall, awake: then.awake + c.awake}
		assert.Equal(t, c.sure, then.sure(now), what)
		assert.Equal(t, 2*time.Hour+c.awake, then.tell(now), what)
	}
}

func TestTheClockTellsBoottime(t *testing.T) {
	c := NewClock()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			var last time.Duration
			for range 20_000 {
				before := Boottime()
				now := c.Now()
				after := Boottime()
				if now < before || now > after+alike || now < last {
					t.Errorf("%v, between %v and %v, after %v", now, before, after, last)
					return
				}
				last = now
			}
		})
	}
	all.Wait()
}

func TestTheClockIsRightAfterASuspension(t *testing.T) {
	c := NewClock()
	before := Boottime()
	c.last.Store(&moment{wall: time.Duration(time.Now().Add(-time.Hour).UnixNano()), boot: before - time.Hour})
	assert.GreaterOrEqual(t, c.Now(), before)
}

func BenchmarkClock(b *testing.B) {
	c := NewClock()
	b.ReportAllocs()
	for b.Loop() {
		c.Now()
	}
}
