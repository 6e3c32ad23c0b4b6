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
	resident, own    float64 // MiB, and without what the kernel can read again from the program's file
	binary, image    float64 // MiB
	start, firstPass time.Duration
}

// bill takes what the program costs as it is released and with its default settings, beside exporters that many run in
// the same place.
func bill(t *testing.T, s scale, server *pg.Server) section {
	result := section{
		title: "6. The guest's bill",
		method: fmt.Sprintf("As released, with the default settings and nothing to do, over %v, scraped every %v. Beside it Debian's exporters for PostgreSQL "+
			"(with the same server) and for nodes, scraped as often, at the same time. Of the resident memory the kernel can take back what is the program's "+
			"file; the rest is told too. The image is the program and the certificate authorities, compressed as it is pulled. Starts are medians of %d.",
			s.idle, scrapeEvery, s.starts),
		beside: "exporter",
	}
	d := database(t, server)
	path := program.Binary(t)
	if s.peers {
		path = release(t)
	}
	lodgers := []lodger{{path: path, args: func(string) []string { return []string{"serve"} }, env: func(address string) []string {
		return []string{"WATCHDOG_DATABASE_URL=" + d.URL, "WATCHDOG_LISTEN=" + address, "WATCHDOG_SOCKET=" + filepath.Join(program.Folder(t), "s")}
	}, up: "watchdog_build_info{", pass: "reaper_passes_total 1"}}
	if s.peers {
		exporters, err := exporters(t, d.URL)
		if err != nil {
			result.notes = append(result.notes, fmt.Sprintf("The exporters are not to be had here: %v", err))
			t.Log(result.notes[0])
		}
		lodgers = append(lodgers, exporters...)
	}
	guests := stay(t, s, lodgers)
	result.lines = guests[0].alone()
	for i, peer := range guests[1:] {
		result.lines = append(result.lines, guests[0].beside(peer, lodgers[i+1].name)...)
	}
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

// alone tells what has no peer.
func (g guest) alone() []line {
	return []line{{what: "start to the end of the first pass", ours: span(g.firstPass)}}
}

// beside puts the guest beside another.
func (g guest) beside(peer guest, name string) (lines []line) {
	add := func(what string, told func(float64) string, ours, theirs float64) {
		lines = append(lines, line{what: what, ours: told(ours), beside: name + ": " + told(theirs), ratio: ours / theirs, limit: limit{most: 1}})
	}
	mib := func(v float64) string { return fmt.Sprintf("%.1f MiB", v) }
	add("CPU time", func(v float64) string { return span(seconds(v)) }, g.cpu.Seconds(), peer.cpu.Seconds())
	add("resident", mib, g.resident, peer.resident)
	add("resident, without its file", mib, g.own, peer.own)
	add("program", mib, g.binary, peer.binary)
	add("image", mib, g.image, peer.image)
	add("start to the first answered scrape", func(v float64) string { return span(seconds(v)) }, g.start.Seconds(), peer.start.Seconds())
	return lines
}
