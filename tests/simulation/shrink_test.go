package simulation

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// shortest looks for a shorter plan under which the same invariant is broken, and returns its parts and how that
// went.
func shortest(t *testing.T, p *plan, failed *world) ([]int, *world) {
	all := make([]int, p.parts())
	for i := range all {
		all[i] = i
	}
	invariant, _, _ := strings.Cut(failed.verdict, ":")
	parts := shrink(all, func(keep []int) bool {
		for range 3 { // what the product leaves to chance may have to come out right
			if w := live(t, p.only(keep)); strings.HasPrefix(w.verdict, invariant+":") {
				failed = w
				return true
			}
		}
		return false
	})
	return parts, failed
}

// shrink leaves out what it can for which fails still holds: halves first, then less and less.
func shrink(parts []int, fails func([]int) bool) []int {
	for size := max(1, len(parts)/2); size > 0; {
		left := false
		for from := 0; from < len(parts); {
			without := slices.Concat(parts[:from], parts[min(from+size, len(parts)):])
			if fails(without) {
				parts, left = without, true
			} else {
				from += size
			}
		}
		if !left || size > 1 {
			size /= 2
		}
	}
	return parts
}

func TestShrinkFindsWhatIsNeeded(t *testing.T) {
	var all []int
	for i := range 40 {
		all = append(all, i)
	}
	tried := 0
	needs := func(keep []int) bool {
		tried++
		return slices.Contains(keep, 3) && slices.Contains(keep, 17) && (len(keep) < 8 || slices.Contains(keep, 31))
	}
	assert.Equal(t, []int{3, 17}, shrink(all, needs))
	assert.Less(t, tried, 200)
	assert.Empty(t, shrink(all, func([]int) bool { return true }))
}

func TestAPlanFollowsFromItsSeed(t *testing.T) {
	for seed := range uint64(50) {
		p := newPlan(seed)
		assert.Equal(t, p, newPlan(seed))
		last := p.only([]int{p.parts() - 1})
		assert.Equal(t, 1, last.parts(), "leaving parts out changes nothing for the others")
		assert.NotEqual(t, newPlan(seed+1).String(), p.String())
	}
}
