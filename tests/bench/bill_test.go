package bench

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

const scrapeEvery = 15 * time.Second

// guest is what a program costs those who let it in.
type guest struct {
	cpu              time.Duration
	resident         float64 // MiB
	binary, image    int64
	start, firstPass time.Duration
}

// bill takes what the program costs as it is released and with its default settings, beside an exporter that many
// run in the same place.
func bill(t *testing.T, s scale, server *pg.Server) section {
	result := section{
		title: "6. The guest's bill",
		method: fmt.Sprintf("As released, with the default settings and nothing to do, over %v, scraped every %v. Beside it Debian's prometheus-postgres-exporter, "+
			"with the same server and scraped as often, at the same time. The image is the program and the certificate authorities, compressed as it is pulled. "+
			"Starts are medians of %d.", s.idle, scrapeEvery, s.starts),
		beside: "postgres_exporter",
	}
	d := database(t, server)
	released := program.Binary(t)
	if s.peers {
		released = release(t)
	}
	ours := lodger{path: released, args: []string{"serve"}, env: func(address string) []string {
		return []string{"WATCHDOG_DATABASE_URL=" + d.URL, "WATCHDOG_LISTEN=" + address, "WATCHDOG_SOCKET=" + filepath.Join(program.Folder(t), "s")}
	}, up: "watchdog_build_info{", pass: "reaper_passes_total 1"}
	lodgers := []lodger{ours}
	if s.peers {
		path, err := exporter(t)
		if err != nil {
			result.notes = append(result.notes, fmt.Sprintf("prometheus-postgres-exporter is not to be had here: %v", err))
			t.Log(result.notes[0])
		} else {
			lodgers = append(lodgers, lodger{path: path, env: func(address string) []string {
				return []string{"DATA_SOURCE_NAME=" + d.URL, "PG_EXPORTER_WEB_LISTEN_ADDRESS=" + address}
			}, up: "pg_up 1"})
		}
	}
	guests := stay(t, s, lodgers)
	result.lines = compare(guests)
	return result
}

// release builds the program as it is released.
func release(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "watchdog")
	build := exec.Command("scripts/build.sh", path)
	build.Dir = "../.."
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return path
}

// compare puts the first guest beside the second, where there is one.
func compare(guests []guest) []line {
	mine, its := guests[0], guests[len(guests)-1]
	mib := func(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }
	seconds := func(v float64) string { return span(seconds(v)) }
	var lines []line
	add := func(what string, ours, theirs float64, told func(float64) string) {
		l := line{what: what, ours: told(ours)}
		if len(guests) > 1 {
			l.beside, l.ratio, l.limit = told(theirs), ours/theirs, limit{most: 1}
		}
		lines = append(lines, l)
	}
	add("CPU time", mine.cpu.Seconds(), its.cpu.Seconds(), seconds)
	add("resident", mine.resident*(1<<20), its.resident*(1<<20), mib)
	add("program", float64(mine.binary), float64(its.binary), mib)
	add("image", float64(mine.image), float64(its.image), mib)
	add("start to the first answered scrape", mine.start.Seconds(), its.start.Seconds(), seconds)
	return append(lines, line{what: "start to the end of the first pass", ours: span(mine.firstPass)})
}
