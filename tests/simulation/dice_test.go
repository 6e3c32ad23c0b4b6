package simulation

import (
	"math/rand/v2"
	"time"
)

// dice draws what a part of the plan leaves to chance. Each part has its own, so that leaving another out changes
// nothing for it.
type dice struct{ *rand.Rand }

func newDice(seed, part uint64) dice { return dice{rand.New(rand.NewPCG(seed, part))} }

// one reports true once in n.
func (d dice) one(n int) bool { return d.IntN(n) == 0 }

// span is a time between two others.
func (d dice) span(least, most time.Duration) time.Duration {
	return least + time.Duration(d.Int64N(int64(most-least)+1))
}

// rough is a time up to the given one, far more often a short one.
func (d dice) rough(most time.Duration) time.Duration {
	f := d.Float64()
	return time.Duration(f * f * f * float64(most))
}

// scatter is a number that follows from two others, for what is drawn so often that a dice would cost too much.
func scatter(seed, n uint64) uint64 {
	x := seed + n*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
