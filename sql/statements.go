package sql

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed sets
var sets embed.FS

// statement is one statement, ready for its database.
type statement struct {
	signature
	query  string
	names  []string // what to bind, in order
	origin string   // where it was read, for people
	steady bool     // one plan fits all values of its parameters
}

// binder puts the dialect's placeholders for the named parameters.
type binder func(query string, values any) (string, []any, error)

// args are the values to bind, in order.
func (s statement) args(values map[string]any) []any {
	args := make([]any, len(s.names))
	for i, name := range s.names {
		args[i] = values[name]
	}
	return args
}

// context is ctx for a call that runs the statement.
func (s statement) context(ctx context.Context) context.Context {
	if s.steady || s.single {
		return kept(ctx)
	}
	return ctx
}

// Schema is the text that creates the orchestrator's tables and the recommended indexes in an empty database,
// for the demo and for tests: dialect is postgres or sqlite.
func Schema(set, dialect string) (string, error) {
	folder := "sets/" + set + "/" + dialect
	tables, err := fs.ReadFile(sets, folder+"/schema.sql")
	if err != nil {
		return "", fmt.Errorf("read schema: there is none of set %q for %q", set, dialect)
	}
	indexes, err := fs.ReadFile(sets, folder+"/indexes.sql")
	return string(tables) + string(indexes), err
}

// Sets are the names of the embedded sets.
func Sets() []string {
	folders, err := fs.ReadDir(sets, "sets")
	if err != nil {
		panic("the sets are embedded: " + err.Error())
	}
	var names []string
	for _, folder := range folders {
		names = append(names, folder.Name())
	}
	return names
}

// CheckStatements gives all that is wrong with the statements of the configuration, as far as can be told without the
// database.
func CheckStatements(cfg Config) []error {
	src, err := parse(cfg)
	if err != nil {
		return []error{err}
	}
	_, err = load(orDefault(cfg.Set), src.dialect, cfg.Dir, src.bind)
	return joined(err)
}

// load reads a set's statements and a folder's overrides, and compares each with the contract. All that is
// wrong is told at once.
func load(set string, d dialect, dir string, bind binder) (map[string]statement, error) {
	texts, err := embedded(set, d)
	if err != nil {
		return nil, err
	}
	if dir != "" {
		if err := override(texts, dir); err != nil {
			return nil, err
		}
	}
	all := map[string]statement{}
	var faults []error
	for _, sig := range contract() {
		st, err := compile(sig, texts[sig.name], bind)
		faults = append(faults, err)
		all[sig.name] = st
	}
	return all, errors.Join(faults...)
}

// file is a statement's text and where it was read.
type file struct {
	text, origin string
	ours         bool // written so that one plan fits all values
}

func embedded(set string, d dialect) (map[string]file, error) {
	folder := "sets/" + set + "/" + string(d)
	texts := map[string]file{}
	for _, sig := range contract() {
		raw, err := fs.ReadFile(sets, folder+"/"+sig.name+".sql")
		if err != nil {
			return nil, fmt.Errorf("read statements: there is no set %q for %s", set, d)
		}
		text, err := include(string(raw), folder)
		if err != nil {
			return nil, err
		}
		texts[sig.name] = file{text: text, origin: originOf(set), ours: true}
	}
	return texts, nil
}

func originOf(set string) string { return "set " + set }

// include replaces each line "-- include NAME" by the set's file of that name: what several statements share
// is written once.
func include(text, folder string) (string, error) {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		name := included(line)
		if name == "" {
			continue
		}
		part, err := fs.ReadFile(sets, folder+"/"+name)
		if err != nil {
			return "", fmt.Errorf("read statements: %w", err)
		}
		lines[i] = string(part)
	}
	return strings.Join(lines, ""), nil
}

// included is the file that the first such line of a text names; empty: none.
func included(text string) string {
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "-- include "); ok {
			return name
		}
	}
	return ""
}

// override replaces statements by the files of a folder. Names that begin with a dot are passed over: Kubernetes
// puts such into a mounted ConfigMap.
func override(texts map[string]file, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read statements: %w", err)
	}
	var faults []error
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		name, isSQL := strings.CutSuffix(entry.Name(), ".sql")
		if _, known := texts[name]; !known || !isSQL {
			faults = append(faults, fmt.Errorf("read statements: %s is no statement's file (%s)", path, fileNames()))
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			faults = append(faults, fmt.Errorf("read statements: %w", err))
			continue
		}
		if part := included(string(raw)); part != "" {
			faults = append(faults, fmt.Errorf("read statements: %s includes %s, which only the set's own files can: "+
				"put the text of %[2]s in the place of that line", path, part))
			continue
		}
		texts[name] = file{text: string(raw), origin: path}
	}
	return errors.Join(faults...)
}

func fileNames() string {
	var names []string
	for _, sig := range contract() {
		names = append(names, sig.name+".sql")
	}
	return strings.Join(names, ", ")
}

func compile(sig signature, f file, bind binder) (statement, error) {
	text, names := plain(f.text)
	if strings.TrimSpace(text) == "" {
		return statement{}, fmt.Errorf("read statement %s (%s): it is empty", sig.name, f.origin)
	}
	if err := sig.compare(names); err != nil {
		return statement{}, fmt.Errorf("read statement %s (%s): %w", sig.name, f.origin, err)
	}
	self := map[string]any{}
	for _, name := range names {
		self[name] = name
	}
	query, bound, err := bind(text, self)
	if err != nil {
		return statement{}, fmt.Errorf("read statement %s (%s): %w", sig.name, f.origin, err)
	}
	st := statement{signature: sig, query: query, origin: f.origin, steady: f.ours || len(names) == 0}
	for _, name := range bound {
		st.names = append(st.names, name.(string))
	}
	return st, nil
}

// compare holds a statement's parameters against the contract.
func (s signature) compare(names []string) error {
	var faults []string
	for _, name := range s.needs {
		if !slices.Contains(names, name) {
			faults = append(faults, "parameter :"+name+" is missing")
		}
	}
	for _, name := range names {
		if !slices.Contains(s.needs, name) && !slices.Contains(s.takes, name) {
			faults = append(faults, "parameter :"+name+" is unknown")
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return errors.New(strings.Join(faults, "; "))
}
