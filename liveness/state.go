package liveness

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// Hold is a promise not to reap a job until an instant of CLOCK_BOOTTIME.
type Hold struct {
	Job   watchdog.JobID
	Token uint64
	Role  watchdog.Role
	UID   int           // of the holder
	Until time.Duration // 0: it has ended
}

// State is the file that keeps what must outlive the watchdog: the bound of the tokens and the holds. It
// is a log of JSON lines that is written anew when it has grown. Safe for concurrent use.
//
// A bound is synced to the disk: a token must be new also after the machine broke down. A hold is not: the
// file survives the watchdog's own death without, and the machine's takes the holders along.
type State struct {
	path string
	boot string // the machine's start, which the holds' instants count from

	mu    sync.Mutex
	file  *os.File
	lines int // since it was written anew
	bound uint64
}

// Recovered is what a state file held.
type Recovered struct {
	Bound   uint64 // every token ever given is at most this
	Holds   []Hold
	Unclear bool // the file was damaged: there may be holds that are not among Holds
}

// HeldUntil is until when every job has to count as held, because some holds could not be read; 0 when all
// could. Longest is the longest hold that was ever promised, rounded up.
func (f Recovered) HeldUntil(at, longest time.Duration) time.Duration {
	if !f.Unclear {
		return 0
	}
	return at + longest
}

// The lines of the file.
type record struct {
	Boot  string         `json:"boot,omitempty"`
	Bound uint64         `json:"bound,omitempty"`
	Job   watchdog.JobID `json:"job,omitempty"`
	Token uint64         `json:"token,omitempty"`
	Role  watchdog.Role  `json:"role,omitempty"`
	UID   int            `json:"uid,omitempty"`
	Until float64        `json:"until,omitempty"` // seconds
}

// tokenBlock is how many tokens are reserved at once: one sync for each so many marks.
const tokenBlock = 1 << 16

// rewriteAfter is how many lines the file may grow by before it is written anew.
const rewriteAfter = 1 << 14

// OpenState reads the state file, if there is one, and writes it anew with a fresh block of tokens. Boot
// names the machine's start; holds of another one are over. Wall is the host's clock, of use only where
// the file was lost: tokens then go on from its microseconds.
func OpenState(path, boot string, at time.Duration, wall time.Time) (*State, Recovered, error) {
	found, err := readState(path, boot, at)
	if err != nil {
		return nil, found, fmt.Errorf("read state file: %w", err)
	}
	if micros := wall.UnixMicro(); micros > 0 && uint64(micros) < protocol.MaxToken/2 {
		found.Bound = max(found.Bound, uint64(micros))
	}
	s := &State{path: path, boot: boot, bound: found.Bound + tokenBlock}
	if err := s.Rewrite(func() []Hold { return found.Holds }); err != nil {
		return nil, found, err
	}
	return s, found, nil
}

func readState(path, boot string, at time.Duration) (Recovered, error) {
	var found Recovered
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	type who struct {
		job  watchdog.JobID
		role watchdog.Role
	}
	holds := make(map[who]Hold)
	same := false
	for line := range bytes.Lines(text) {
		var r record
		if json.Unmarshal(line, &r) != nil {
			// A last line without its end is one that was being written, so nobody was told of it.
			found.Unclear = found.Unclear || line[len(line)-1] == '\n'
			continue
		}
		found.Bound = max(found.Bound, r.Bound)
		same = same || r.Boot == boot
		if until := time.Duration(r.Until * float64(time.Second)); r.Job != "" {
			holds[who{r.Job, r.Role}] = Hold{Job: r.Job, Token: r.Token, Role: r.Role, UID: r.UID, Until: until}
		}
	}
	for _, h := range holds {
		if same && at < h.Until {
			found.Holds = append(found.Holds, h)
		}
	}
	return found, nil
}

// Bound is the bound of the tokens that are reserved.
func (s *State) Bound() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bound
}

// Reserve reserves tokens for a good while beyond last, if there are not enough, and returns the bound.
func (s *State) Reserve(last uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last+tokenBlock/2 < s.bound {
		return s.bound, nil
	}
	bound := last + tokenBlock
	if bound > protocol.MaxToken {
		return s.bound, errors.New("reserve tokens: there are no more below 2^53")
	}
	if err := s.append(record{Bound: bound}); err != nil {
		return s.bound, fmt.Errorf("reserve tokens: %w", err)
	}
	if err := s.file.Sync(); err != nil {
		return s.bound, fmt.Errorf("reserve tokens: %w", err)
	}
	s.bound = bound
	return bound, nil
}

// Keep writes a hold down.
func (s *State) Keep(h Hold) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.append(recordOf(h)); err != nil {
		return fmt.Errorf("keep hold: %w", err)
	}
	return nil
}

func recordOf(h Hold) record {
	return record{Job: h.Job, Token: h.Token, Role: h.Role, UID: h.UID, Until: h.Until.Seconds()}
}

func (s *State) append(r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	s.lines++
	_, err = s.file.Write(append(line, '\n'))
	return err
}

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
	there, err := os.Stat(s.path)
	return err != nil || !os.SameFile(ours, there)
}

// Rewrite replaces the file by one that holds only what is still of use. The holds are asked for while no
// other can be written down: none gets lost.
func (s *State) Rewrite(holds func() []Hold) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := os.OpenFile(s.path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write state file: %w", err)
	}
	if err := s.fill(next, holds()); err != nil {
		return fmt.Errorf("write state file: %w", errors.Join(err, next.Close()))
	}
	if s.file != nil {
		err = s.file.Close()
	}
	s.file, s.lines = next, 0
	return err
}

func (s *State) fill(next *os.File, holds []Hold) error {
	w := bufio.NewWriter(next)
	enc := json.NewEncoder(w)
	if err := enc.Encode(record{Boot: s.boot, Bound: s.bound}); err != nil {
		return err
	}
	for _, h := range holds {
		if err := enc.Encode(recordOf(h)); err != nil {
			return err
		}
	}
	if err := errors.Join(w.Flush(), next.Sync()); err != nil {
		return err
	}
	if err := os.Rename(next.Name(), s.path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Close closes the file and leaves it where it is.
func (s *State) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.Close()
}
