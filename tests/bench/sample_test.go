package bench

import (
	"cmp"
	"slices"
	"time"
)

// at is the value below which so many percent lie.
func at[T cmp.Ordered](percent int, values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)*percent/100]
}

func median[T cmp.Ordered](values []T) T { return at(50, values) }

// ratios are those of each round, whose machine both had.
func ratios(ours, theirs []float64) []float64 {
	all := make([]float64, len(ours))
	for i := range ours {
		all[i] = ours[i] / theirs[i]
	}
	return all
}

func seconds(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }
