package model

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

var (
	named     = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	invariant = regexp.MustCompile(`"([a-z][^"\n]*)"`)
	place     = regexp.MustCompile("`([a-z]+(?:/[a-z_]+)*\\.go)`")
)

// TestPage compares docs/guarantees.md with what there is: its tests, invariants and files, and the safeguards.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/guarantees.md"))
	require.NoError(t, err)
	page := string(text)
	tests := goTests(t)
	for _, match := range named.FindAllStringSubmatch(page, -1) {
		assert.True(t, strings.Contains(tests, "func "+match[1]+"("), "there is no test %s", match[1])
	}
	for _, match := range invariant.FindAllStringSubmatch(page, -1) {
		assert.True(t, strings.Contains(tests, `"`+match[1]+`"`), "there is no invariant %s", match[1])
	}
	for _, match := range place.FindAllStringSubmatch(page, -1) {
		assert.FileExists(t, filepath.Join(root, match[1]))
	}
	for name := range numbers(t) {
		assert.True(t, strings.Contains(page, "    "+name+" "), "the property %s is not told", name)
	}
	for _, s := range safeguards() {
		assert.True(t, strings.Contains(page, "(`"+s.name+"`)"), "the safeguard %s is not told", s.name)
	}
}

// goTests are the project's tests, as they stand in the files.
func goTests(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "node_modules":
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	require.NoError(t, err)
	return all.String()
}

// TestSafeguardsAreAll compares the table of safeguards with what the model can do without.
func TestSafeguardsAreAll(t *testing.T) {
	files, err := filepath.Glob("*.pml")
	require.NoError(t, err)
	tried := make(map[string]bool)
	for _, s := range safeguards() {
		tried[s.name] = true
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range regexp.MustCompile(`WITHOUT_([A-Z_]+)`).FindAllStringSubmatch(string(text), -1) {
			assert.True(t, tried[match[1]], "nobody tries what happens WITHOUT_%s", match[1])
		}
	}
}
