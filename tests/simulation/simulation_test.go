package simulation

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

var (
	theSeed   = flag.Uint64("simulation.seed", 0, "play this seed alone, until it fails, and print what happened")
	theParts  = flag.String("simulation.parts", "", "the parts of its plan that are played, separated by commas; empty: all")
	theTries  = flag.Int("simulation.tries", 20, "how often it is played at most: what the product leaves to chance is not the seed's")
	seeds     = flag.Int("simulation.seeds", 0, "how many seeds are played; 0: 500, or 100000 with WATCHDOG_TEST_ALL")
	firstSeed = flag.Uint64("simulation.first", 1, "the first of them")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSeeds plays a world for each seed. The first that breaks an invariant ends the test, with the shortest schedule
// that was found to break it, and the command that plays that again.
func TestSeeds(t *testing.T) {
	if *theSeed != 0 {
		replay(t)
		return
	}
	most := uint64(500)
	if os.Getenv("WATCHDOG_TEST_ALL") != "" {
		most = 100_000
	}
	if *seeds > 0 {
		most = uint64(*seeds)
	}
	var next, done atomic.Uint64
	next.Store(*firstSeed)
	t.Cleanup(func() { t.Logf("%d seeds were played", done.Load()) })
	for n := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint("player ", n), func(t *testing.T) {
			t.Parallel()
			for seed := next.Add(1) - 1; seed < *firstSeed+most; seed = next.Add(1) - 1 {
				p := newPlan(seed)
				if w := live(t, p); w.verdict != "" {
					next.Store(*firstSeed + most)
					report(t, p, w)
				}
				done.Add(1)
			}
		})
	}
}

// report fails the test with all that is needed to find the fault.
func report(t *testing.T, p *plan, w *world) {
	parts, w := shortest(t, p, w)
	text := make([]string, len(parts))
	for i, n := range parts {
		text[i] = strconv.Itoa(n)
	}
	t.Errorf("seed %d: %s\nreplay with: go test ./tests/simulation -run 'TestSeeds$' -simulation.seed=%d -simulation.parts=%s\n"+
		"the shortest schedule found: %v\nwhat happened:\n%s", p.seed, w.verdict, p.seed, strings.Join(text, ","), w.plan, w.story(60))
}

func replay(t *testing.T) {
	p := newPlan(*theSeed)
	if *theParts != "" {
		var keep []int
		for part := range strings.SplitSeq(*theParts, ",") {
			n, err := strconv.Atoi(part)
			require.NoError(t, err, "-simulation.parts")
			require.Less(t, n, p.parts(), "-simulation.parts: seed %d has parts up to %d", p.seed, p.parts()-1)
			keep = append(keep, n)
		}
		p = p.only(keep)
	}
	var w *world
	for try := range *theTries {
		if w = live(t, p); w.verdict != "" {
			t.Errorf("seed %d, try %d: %s", p.seed, try+1, w.verdict)
			break
		}
	}
	fmt.Printf("%v\n%s", w.plan, w.story(1<<20))
}
