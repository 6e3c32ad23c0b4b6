package sql

import (
	"math"
	"time"
)

// The instants that count as such: after 1970, where a zero is more likely than a job, and before the year
// 10000, where milliseconds are more likely than seconds and RFC 3339 ends.
const endOfTime = 253402300800

// seconds is an instant as statements take it. A float64 keeps its microseconds for two centuries to come.
func seconds(t time.Time) float64 {
	return float64(t.UnixMicro()) / 1e6
}

// instant is the moment that a statement gave, if it is one.
func instant(unix float64) (time.Time, bool) {
	if !(unix > 0 && unix < endOfTime) {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(math.Round(unix * 1e6))).UTC(), true
}
