package faults

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// broken returns what the ledger shows of guarantees that were not kept. Lease is the sessions'.
func broken(all []line, lease time.Duration) []string {
	var faults []string
	faults = append(faults, notAlone(all)...)
	faults = append(faults, outlived(all)...)
	faults = append(faults, reapedAlive(all, lease)...)
	times := make(map[int64]int)
	for _, e := range all {
		if e.What != closed {
			continue
		}
		if times[e.Job]++; times[e.Job] == 2 {
			faults = append(faults, fmt.Sprintf("job %d was closed twice", e.Job))
		}
	}
	return faults
}

// acted is an act inside a hold.
type acted struct {
	line
	end time.Duration // of the hold, or when its owner let go of it
}

// actsOf returns the acts of each job in order, those that their owner found to have outlasted their hold left out.
func actsOf(all []line) map[int64][]acted {
	of := make(map[string][]line)
	for _, e := range all {
		of[e.Key] = append(of[e.Key], e)
	}
	acts := make(map[int64][]acted)
	for key, lines := range of {
		if key == "" {
			continue
		}
		var own []acted
		for _, e := range lines {
			switch {
			case e.What == act:
				own = append(own, acted{line: e, end: e.Until})
			case e.What == done && len(own) > 0 && e.At > own[len(own)-1].Until:
				own = own[:len(own)-1]
			case e.What == cleared:
				for i := range own {
					own[i].end = min(own[i].end, e.At)
				}
			}
		}
		acts[lines[0].Job] = append(acts[lines[0].Job], own...)
	}
	return acts
}

// notAlone finds those who acted inside another's hold.
func notAlone(all []line) (faults []string) {
	for job, acts := range actsOf(all) {
		for _, a := range acts {
			for _, b := range acts {
				if a.Key != b.Key && a.At <= b.At && b.At < a.end {
					faults = append(faults, fmt.Sprintf("job %d: %s acted %v before the hold of %s ended", job, b.Key, a.end-b.At, a.Key))
				}
			}
		}
	}
	return faults
}

// outlived finds runs that acted inside a hold after a newer one was claimed.
func outlived(all []line) (faults []string) {
	newest := make(map[int64][]line)
	for _, e := range all {
		if e.What == claimed {
			newest[e.Job] = append(newest[e.Job], e)
		}
	}
	for job, acts := range actsOf(all) {
		for _, a := range acts {
			i := slices.IndexFunc(newest[job], func(c line) bool { return c.Run > a.Run && c.At < a.At })
			if i >= 0 {
				faults = append(faults, fmt.Sprintf("job %d: run %d acted after run %d was claimed", job, a.Run, newest[job][i].Run))
			}
		}
	}
	return faults
}

// reapedAlive finds finalizers that were granted their job and lost it although they lived: short of the backstop,
// and of the exception that the README tells, a process that was stopped while the watchdog was started.
func reapedAlive(all []line, lease time.Duration) (faults []string) {
	for i, e := range all {
		if e.What != revoked || !e.Granted || excepted(all[:i], e.PID, lease) {
			continue
		}
		switch e.Why {
		case "backstop":
		case "superseded", "closed":
			if e.Mine {
				faults = append(faults, fmt.Sprintf("job %d: run %d was %s, but is open", e.Job, e.Run, e.Why))
			}
		default:
			faults = append(faults, fmt.Sprintf("job %d: run %d of process %d was reaped alive: %s", e.Job, e.Run, e.PID, e.Why))
		}
	}
	return faults
}

func excepted(before []line, pid int, lease time.Duration) bool {
	var from time.Duration
	for _, e := range before {
		switch {
		case e.What == stopped && e.PID == pid:
			from = e.At
		case e.What == went && e.PID == pid:
			for _, s := range before {
				if s.What == started && s.At > from-lease && s.At < e.At+lease {
					return true
				}
			}
		}
	}
	return false
}

// TestTheCheckSees keeps the check from passing because it sees nothing.
func TestTheCheckSees(t *testing.T) {
	sec := time.Second
	sound := []line{
		{At: 0, What: started},
		{At: 1 * sec, What: claimed, PID: 1, Job: 7, Run: 1},
		{At: 2 * sec, What: act, PID: 1, Job: 7, Run: 1, Key: "a", Until: 3 * sec},
		{At: 2*sec + 1, What: done, PID: 1, Job: 7, Run: 1, Key: "a"},
		{At: 4 * sec, What: claimed, PID: 2, Job: 7, Run: 2},
		{At: 5 * sec, What: act, PID: 2, Job: 7, Run: 2, Key: "b", Until: 6 * sec},
		{At: 5*sec + 1, What: done, PID: 2, Job: 7, Run: 2, Key: "b"},
		{At: 5*sec + 2, What: closed, PID: 2, Job: 7, Run: 2},
	}
	assert.Empty(t, broken(sound, sec))
	with := func(e ...line) []line { return append(slices.Clone(sound), e...) }
	assert.Equal(t, []string{"job 7 was closed twice"}, broken(with(line{What: closed, Job: 7}), sec))
	assert.Len(t, broken(with(line{At: 5*sec + 3, What: act, Job: 7, Run: 2, Key: "c", Until: 9 * sec}), sec), 1, "inside another's hold")
	assert.Empty(t, broken(with(line{At: 5*sec + 3, What: cleared, Job: 7, Key: "b"},
		line{At: 5*sec + 4, What: act, Job: 7, Run: 2, Key: "c", Until: 9 * sec}), sec), "it had let go of the hold")
	assert.Len(t, broken(with(line{At: 7 * sec, What: act, Job: 7, Run: 1, Key: "a", Until: 9 * sec}), sec), 1, "an older run")
	assert.Empty(t, broken(with(
		line{At: 7 * sec, What: act, Job: 7, Run: 1, Key: "a", Until: 8 * sec}, line{At: 9 * sec, What: done, Job: 7, Key: "a"}), sec), "it outlasted its hold, and says so")
	alive := line{At: 9 * sec, What: revoked, PID: 2, Job: 7, Run: 2, Granted: true, Why: "unfinalized"}
	assert.Len(t, broken(with(alive), sec), 1)
	assert.Empty(t, broken(with(line{At: 7 * sec, What: stopped, PID: 2}, line{At: 8 * sec, What: started}, line{At: 8 * sec, What: went, PID: 2}, alive), sec))
	assert.Len(t, broken(with(line{At: 7 * sec, What: stopped, PID: 2}, line{At: 8 * sec, What: went, PID: 2}, alive), sec), 1)
	alive.Why = "closed"
	assert.Empty(t, broken(with(alive), sec))
	alive.Mine = true
	assert.Len(t, broken(with(alive), sec), 1)
}
