package liveness

import (
	"time"
)

const (
	// floodAfter is how many bytes a connection may send without a pause before it counts as a flood: some two
	// hundred marks. Who resumes more than that goes on at the flood's pace.
	floodAfter = 16 << 10
	// floodPace is how long a flood waits, once for each floodAfter bytes. All floods wait in one line.
	floodPace = 2 * time.Millisecond
	// othersFor is how long somebody else counts as being served.
	othersFor = 200 * time.Millisecond
)

// courtesy has a connection that floods give way to those that do not: what it sends waits in its socket, and
// in the end the peer itself does, so that it takes neither the watchdog's nor the machine's time from the
// others. Where nobody else is served nothing is slowed down.
func (c *conn) courtesy(at time.Duration, read int, full bool) {
	if !full {
		c.streak = 0
		c.srv.polite.Store(int64(at))
		return
	}
	c.streak += read
	if c.streak < floodAfter || at-time.Duration(c.srv.polite.Load()) > othersFor {
		return
	}
	c.streak = 0
	c.srv.flood <- struct{}{} // no mutex: virtual time stands still for who waits for one
	defer func() { <-c.srv.flood }()
	wait := time.NewTimer(floodPace)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-c.exit:
	}
}
