package tests

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// maxLines is how long a file may be: one that is longer is about two things.
const maxLines = 300

// TestNoFileIsTooLong counts the lines of every Go file, the tests' too.
func TestNoFileIsTooLong(t *testing.T) {
	files := 0
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "node_modules"):
			return filepath.SkipDir
		case filepath.Ext(path) != ".go":
			return nil
		}
		files++
		content, err := os.ReadFile(path)
		assert.LessOrEqual(t, bytes.Count(content, []byte("\n")), maxLines, path)
		return err
	}))
	assert.NotZero(t, files)
}

// TestSource holds every file of the product to what the house asks of all. Tests and their support are no
// part of it.
func TestSource(t *testing.T) {
	for _, p := range packages(t) {
		if within(p.folder(), "tests") {
			continue
		}
		for _, name := range p.GoFiles {
			path := filepath.Join(p.Dir, name)
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			isMain := p.folder() == "cmd/watchdog" && name == "main.go"
			for _, fault := range inspect(t, path, content, isMain) {
				t.Errorf("%s: %s", filepath.Join(p.folder(), name), fault)
			}
		}
	}
}

// TestInspect keeps TestSource from passing because it sees nothing.
func TestInspect(t *testing.T) {
	source := []byte(`package p
import ("log"; "os"; "os/signal"; "time")
func init() { os.Exit(1); log.Fatalf("x"); time.Sleep(1); signal.Stop(nil) }
type T struct{}
func (T) init() {}
`)
	want := []string{"imports os/signal", "has an init function", "calls os.Exit", "calls log.Fatalf", "calls time.Sleep"}
	assert.ElementsMatch(t, want, inspect(t, "p.go", source, false))
	assert.ElementsMatch(t, []string{"has an init function", "calls time.Sleep"}, inspect(t, "main.go", source, true))
}

// inspect returns what is wrong with a file.
func inspect(t *testing.T, path string, content []byte, isMain bool) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, content, parser.SkipObjectResolution)
	require.NoError(t, err)

	var faults []string
	for _, imported := range file.Imports {
		if imported.Path.Value == `"os/signal"` && !isMain {
			faults = append(faults, "imports os/signal")
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				faults = append(faults, "has an init function")
			}
		case *ast.CallExpr:
			if call := qualified(n.Fun); forbidden(call, isMain) {
				faults = append(faults, "calls "+call)
			}
		}
		return true
	})
	return faults
}

// qualified is the text of a call of another package's function; of anything else it is empty or matches
// nothing.
func qualified(fun ast.Expr) string {
	selector, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if pkg, ok := selector.X.(*ast.Ident); ok {
		return pkg.Name + "." + selector.Sel.Name
	}
	return ""
}

// forbidden reports whether the house does without a call: one that ends the process anywhere but in main, and
// everywhere a sleep that no context can end.
func forbidden(call string, isMain bool) bool {
	switch call {
	case "time.Sleep":
		return true
	case "os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln":
		return !isMain
	}
	return false
}
