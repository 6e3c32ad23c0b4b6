package liveness

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// rewriteAfter is how many lines the file may grow by before it is written anew.
const rewriteAfter = 1 << 14

// Stale reports whether the file should be written anew: it has grown, or it was removed.
func (s *State) Stale() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines > rewriteAfter {
		return true
	}
	ours, err := s.file.Stat()
	if err != nil {
		return true
	}
	there, err := os.Lstat(s.path)
	return err != nil || !os.SameFile(ours, there)
}

// Rewrite replaces the file by one that holds only what is still of use. The holds are asked for while no
// other can be written down: none gets lost.
func (s *State) Rewrite(holds func() []Hold) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := create(s.path + ".new")
	if err != nil {
		return fmt.Errorf("write state file: %w", err)
	}
	size, err := s.fill(next, holds())
	if err == nil {
		err = os.Rename(next.Name(), s.path)
	}
	if err != nil {
		return fmt.Errorf("write state file: %w", errors.Join(err, next.Close()))
	}
	if s.file != nil {
		err = s.file.Close()
	}
	s.file, s.size, s.lines = next, size, 0
	return errors.Join(err, syncFolder(s.path))
}

// create makes the file anew. The folder is shared with peers: a link that one of them put there is not followed.
func create(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

// fill writes all that the file has to hold, and returns its size.
func (s *State) fill(next *os.File, holds []Hold) (int64, error) {
	w := bufio.NewWriter(next)
	enc := json.NewEncoder(w)
	head := record{Boot: s.boot, Bound: s.bound}
	if s.unclear != nil {
		head.Unclear = new(s.unclear.Seconds())
	}
	if err := enc.Encode(head); err != nil {
		return 0, err
	}
	for _, h := range holds {
		if err := enc.Encode(recordOf(h)); err != nil {
			return 0, err
		}
	}
	if err := errors.Join(w.Flush(), next.Sync()); err != nil {
		return 0, err
	}
	info, err := next.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// syncFolder has the name of a file outlive the machine.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
