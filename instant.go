package watchdog

import "time"

// Instant is one moment on the two clocks that the watchdog lives by. Ages of rows are counted on Rows,
// the clock that stamps them (the host's or the database's); leases, holds and everything else of the
// watchdog's own are counted on Boot, which no one can set.
type Instant struct {
	Rows time.Time     // the clock that stamps the rows; without a monotonic reading, for that clock can be set
	Boot time.Duration // CLOCK_BOOTTIME: since the machine started, suspension included
}

// At converts a moment of the boot clock to the clock of the rows.
func (i Instant) At(boot time.Duration) time.Time {
	return i.Rows.Add(boot - i.Boot)
}

// Add returns the instant d later, on both clocks.
func (i Instant) Add(d time.Duration) Instant {
	return Instant{Rows: i.Rows.Add(d), Boot: i.Boot + d}
}
