package bench

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// pipeline is how many requests a pipelined connection has under way at most.
const pipeline = 64

// roundTrips takes how many marks and clears a second go through the socket, beside an echo.
func roundTrips(t *testing.T, s scale, server *pg.Server) section {
	d := database(t, server)
	running(t, d, 1, pipeline*slices.Max(s.connections), 0)
	w := program.Serve(t, program.For(t, d.URL).With(program.Settings{"REAPER_INTERVAL": "5s"}))
	defer finish(t, w.Process)
	echo := filepath.Join(program.Folder(t), "echo.sock")
	defer finish(t, cast(t, "echo", echo))
	result := section{
		title: "1. Requests through the socket",
		method: fmt.Sprintf("A mark and a clear of one job, again and again, on connections of one process; pipelined: %d marks, then %[1]d clears. "+
			"Beside it the same lines through a server in Go that only sends back what it reads. Medians of %d rounds of %v each, the two in turns.",
			pipeline, s.rounds, s.span),
		beside: "echo",
	}
	for _, depth := range []int{1, pipeline} {
		for _, n := range s.connections {
			ours, theirs := crowd(t, w.Socket, n, depth), crowd(t, echo, n, depth)
			var mine, its []float64
			for range s.rounds {
				mine = append(mine, ours.run(t, s.span))
				its = append(its, theirs.run(t, s.span))
			}
			ours.leave()
			theirs.leave()
			l := line{what: fmt.Sprintf("%s connections", count(float64(n))), ours: count(median(mine)) + "/s",
				beside: count(median(its)) + "/s", ratio: median(ratios(mine, its)), limit: limit{least: 0.8}}
			if depth > 1 {
				l.what += ", pipelined"
				l.limit.least = 0.1
			}
			result.lines = append(result.lines, l)
			t.Logf("%s: %s, echo %s, ratio %.2f", l.what, l.ours, l.beside, l.ratio)
		}
	}
	return result
}
