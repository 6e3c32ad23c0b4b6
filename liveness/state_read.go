package liveness

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finalizer-watchdog/watchdog"
)

// Recovered is what a state file held.
type Recovered struct {
	Bound uint64 // every token ever given is at most this
	Holds []Hold

	unclear *time.Duration // when the file was found damaged, by this start or one before; nil: never
}

// HeldUntil is until when every job has to count as held, because the file was damaged and there may be holds that
// are not among Holds; 0 when there are none. Longest is the longest hold that was ever promised.
func (f Recovered) HeldUntil(at, longest time.Duration) time.Duration {
	if f.unclear == nil || at >= *f.unclear+longest {
		return 0
	}
	return *f.unclear + longest
}

func readState(path, boot string, at time.Duration) (Recovered, error) {
	text, whole, err := readOwn(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Recovered{}, nil
	}
	if err != nil {
		return Recovered{}, err
	}
	r := reading{holds: make(map[holder]Hold), boot: boot}
	for line := range bytes.Lines(text) {
		// A last line without its end is one that was being written, so nobody was told of it.
		if !r.take(line) && line[len(line)-1] == '\n' {
			whole = false
		}
	}
	found := Recovered{Bound: r.bound, unclear: r.unclear}
	if !whole || !r.begun {
		found.unclear = &at
	}
	for _, h := range r.holds {
		if r.same && at < h.Until {
			found.Holds = append(found.Holds, h)
		}
	}
	return found, nil
}

// readOwn reads the file. The folder is shared with peers: what is no file of ours, a link or a pipe that one of them
// put there, counts as a damaged one.
func readOwn(path string) (text []byte, whole bool, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, false, err
	}
	text, err = io.ReadAll(file)
	return text, true, err
}

// reading is what the lines told until now.
type reading struct {
	boot    string // of now
	begun   bool   // there was a first line
	same    bool   // the machine has not been started anew since
	bound   uint64
	unclear *time.Duration
	holds   map[holder]Hold
}

// holder is whose hold a line is about: a later one takes its place, unless it is an older token's that came late.
type holder struct {
	job  watchdog.JobID
	role watchdog.Role
}

// take is false when the line cannot be read.
func (r *reading) take(line []byte) bool {
	var l record
	if json.Unmarshal(line, &l) != nil {
		return false
	}
	r.bound = max(r.bound, l.Bound)
	if l.Boot != "" {
		r.begun, r.same = true, l.Boot == r.boot
	}
	if l.Unclear != nil && r.same {
		r.unclear = new(span(*l.Unclear))
	}
	who := holder{l.Job, l.Role}
	if l.Job != "" && l.Token >= r.holds[who].Token {
		r.holds[who] = Hold{Job: l.Job, Token: l.Token, Role: l.Role, UID: l.UID, Until: span(l.Until)}
	}
	return true
}

func span(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
