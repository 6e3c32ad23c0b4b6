package liveness

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
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

	mu      sync.Mutex
	file    *os.File
	size    int64 // of the lines that are whole
	lines   int   // since it was written anew
	bound   uint64
	unclear *time.Duration // see Recovered
}

// The lines of the file. The first has the boot.
type record struct {
	Boot    string         `json:"boot,omitempty"`
	Unclear *float64       `json:"unclear,omitempty"` // seconds
	Bound   uint64         `json:"bound,omitempty"`
	Job     watchdog.JobID `json:"job,omitempty"`
	Token   uint64         `json:"token,omitempty"`
	Role    watchdog.Role  `json:"role,omitempty"`
	UID     int            `json:"uid,omitempty"`
	Until   float64        `json:"until,omitempty"` // seconds
}

// tokenBlock is how many tokens are reserved at once: one sync for each so many marks.
const tokenBlock = 1 << 16

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
	s := &State{path: path, boot: boot, bound: found.Bound + tokenBlock, unclear: found.unclear}
	if err := s.Rewrite(func() []Hold { return found.Holds }); err != nil {
		return nil, found, err
	}
	return s, found, nil
}

// Bound is the bound of the tokens that are reserved.
func (s *State) Bound() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bound
}

// enough reports whether there is a good while of tokens between the last and the bound.
func enough(last, bound uint64) bool { return last+tokenBlock/2 < bound }

// Reserve reserves tokens for a good while beyond last, if there are not enough, and returns the bound.
func (s *State) Reserve(last uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if enough(last, s.bound) {
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

// append writes a line behind those that are whole: in the place of one that came through in part, as on a full disk.
func (s *State) append(r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	s.lines++
	n, err := s.file.WriteAt(append(line, '\n'), s.size)
	if err == nil {
		s.size += int64(n)
	}
	return err
}

// Close closes the file and leaves it where it is.
func (s *State) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.Close()
}
