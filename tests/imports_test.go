// Package tests holds what is tested of the watchdog as a whole.
package tests

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/finalizer-watchdog/watchdog"

// layer is what one package, and those in folders below it, may import outside its tests.
type layer struct {
	ours   []string // folders of this module, "" for its root; those below themselves always
	theirs []string // other modules, by path
	all    bool     // whatever it likes
}

// layers says who may know whom. Data goes one way, and the packages in the middle never meet: only
// cmd/watchdog puts them together.
func layers() map[string]layer {
	return map[string]layer{
		"":             {},
		"protocol":     {},
		"client":       {ours: []string{"protocol"}},
		"liveness":     {ours: []string{"", "protocol"}, theirs: []string{"golang.org/x/sys"}},
		"reaper":       {ours: []string{""}},
		"sql":          {ours: []string{""}, theirs: []string{"github.com/jmoiron/sqlx", "github.com/lib/pq", "modernc.org/sqlite"}},
		"metrics":      {ours: []string{""}, theirs: []string{"github.com/prometheus/client_golang"}},
		"web":          {ours: []string{""}, theirs: []string{"github.com/prometheus/exporter-toolkit"}},
		"cmd/watchdog": {all: true},
		"tests":        {all: true},
	}
}

// listed is what go list tells of a package, tests aside.
type listed struct {
	ImportPath string
	Dir        string
	Name       string
	GoFiles    []string
	Imports    []string
}

func (p listed) folder() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		place, may, ok := layerOf(p.folder())
		if !assert.True(t, ok, "%s is in no layer: give it one here, and say why", p.ImportPath) || may.all {
			continue
		}
		for _, imported := range p.Imports {
			assert.True(t, may.allows(place, imported), "%s must not import %s", p.ImportPath, imported)
		}
	}
}

func TestNoUtilityDrawers(t *testing.T) {
	drawers := []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "lib"}
	for _, p := range packages(t) {
		assert.NotContains(t, drawers, p.Name, p.ImportPath)
		assert.NotContains(t, drawers, filepath.Base(p.folder())) // whatever folder the project itself lies in
	}
}

// TestLayersAllow keeps the table above from allowing everything unnoticed.
func TestLayersAllow(t *testing.T) {
	for _, forbidden := range [][2]string{
		{"reaper", module + "/liveness"},
		{"reaper/brake", module + "/sql"},
		{"reaper", "golang.org/x/sys/unix"},
		{"", module + "/protocol"},
		{"client", module},
		{"sql", "github.com/lib/pqother"},
	} {
		place, may, ok := layerOf(forbidden[0])
		require.True(t, ok)
		assert.False(t, may.allows(place, forbidden[1]), "%v", forbidden)
	}
	for _, allowed := range [][2]string{
		{"reaper", module}, {"reaper", module + "/reaper/brake"}, {"reaper", "net/http"},
		{"sql", "github.com/lib/pq"}, {"liveness", "golang.org/x/sys/unix"},
	} {
		place, may, ok := layerOf(allowed[0])
		require.True(t, ok)
		assert.True(t, may.allows(place, allowed[1]), "%v", allowed)
	}
	_, _, ok := layerOf("reapers")
	assert.False(t, ok, "a folder is not in a layer whose name it only begins with")
}

// layerOf returns the innermost layer that the folder belongs to.
func layerOf(folder string) (place string, may layer, ok bool) {
	all := layers()
	for place = folder; ; place = filepath.Dir(place) {
		if may, ok = all[place]; ok || place == "." || place == "" {
			return place, may, ok
		}
	}
}

func (l layer) allows(place, imported string) bool {
	if imported == module || strings.HasPrefix(imported, module+"/") {
		folder := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
		return slices.Contains(l.ours, folder) || within(folder, place)
	}
	domain, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(domain, ".") {
		return true // of the standard library
	}
	return slices.ContainsFunc(l.theirs, func(module string) bool { return within(imported, module) })
}

// within reports whether a path is the given one or below it. Nothing but itself is within the root.
func within(path, parent string) bool {
	return path == parent || parent != "" && strings.HasPrefix(path, parent+"/")
}

func packages(t *testing.T) []listed {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Name,GoFiles,Imports", "./...")
	list.Dir = ".."
	output, err := list.Output()
	require.NoError(t, err)

	var all []listed
	for decoder := json.NewDecoder(bytes.NewReader(output)); decoder.More(); {
		var p listed
		require.NoError(t, decoder.Decode(&p))
		all = append(all, p)
	}
	require.NotEmpty(t, all)
	return all
}
