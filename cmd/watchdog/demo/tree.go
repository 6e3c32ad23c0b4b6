package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// treeParts is how many files the tree has beside its manifest.
const treeParts = 6

// errBroken is what a re-test finds when the tree is not what its manifest says.
var errBroken = errors.New("the tree is broken")

// tree is what everything is merged into: a folder of files and a manifest with their digests. A merge replaces
// one file after another and the manifest last, so that in between the tree is not whole, which a re-test
// notices. It has no lock: that is the point.
type tree struct{ dir string }

// manifest says what the tree should hold.
type manifest struct {
	Head  string            `json:"head"` // the task that was merged last
	Parts map[string]string `json:"parts"`
}

// plant makes the tree, whole, as the merge of the given task has left it.
func (t tree) plant(head string) error {
	if err := os.MkdirAll(t.dir, 0o755); err != nil {
		return fmt.Errorf("plant tree: %w", err)
	}
	return t.merge(context.Background(), head, 0)
}

// head is the task that was merged last.
func (t tree) head() (string, error) {
	m, err := t.manifest()
	return m.Head, err
}

// retest tries the merge on the tree as it is: every part must be what the manifest says, and the manifest must
// still be the same at the end. It takes so long, but ends at the first fault, which is errBroken.
func (t tree) retest(ctx context.Context, takes time.Duration) error {
	before, err := t.manifest()
	if err != nil {
		return err
	}
	for i := range treeParts {
		name := partName(i)
		content, err := os.ReadFile(filepath.Join(t.dir, name))
		if err != nil {
			return fmt.Errorf("re-test: %w", err)
		}
		if digest(content) != before.Parts[name] {
			return fmt.Errorf("%w: %s is not what the manifest of %s says", errBroken, name, before.Head)
		}
		if err := pause(ctx, takes/treeParts); err != nil {
			return err
		}
	}
	after, err := t.manifest()
	if err == nil && after.Head != before.Head {
		err = fmt.Errorf("%w: %s was merged during the re-test", errBroken, after.Head)
	}
	return err
}

// merge merges the task, part by part. Once begun it is not to be interrupted, but by the end of the process.
func (t tree) merge(ctx context.Context, task string, takes time.Duration) error {
	m := manifest{Head: task, Parts: make(map[string]string)}
	for i := range treeParts {
		name := partName(i)
		content := fmt.Appendf(nil, "%s as of %s\n", name, task)
		m.Parts[name] = digest(content)
		if err := t.replace(name, content); err != nil {
			return err
		}
		if err := pause(ctx, takes/treeParts); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return t.replace("manifest.json", text)
}

func (t tree) manifest() (manifest, error) {
	var m manifest
	text, err := os.ReadFile(filepath.Join(t.dir, "manifest.json"))
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return m, fmt.Errorf("read manifest: %w", err)
	}
	return m, nil
}

// replace gives a file its new content in one step.
func (t tree) replace(name string, content []byte) error {
	path := filepath.Join(t.dir, name)
	err := os.WriteFile(path+".new", content, 0o644)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	return nil
}

func partName(i int) string { return fmt.Sprintf("part-%d", i+1) }

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// pause waits, or returns why ctx ended before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
