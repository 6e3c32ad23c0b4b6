package liveness

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
)

const boot = "3f1c"

func openState(t *testing.T, path string, at time.Duration, wall time.Time) (*State, Recovered) {
	t.Helper()
	s, found, err := OpenState(path, boot, at, wall)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s, found
}

func statePath(t *testing.T) string { return filepath.Join(t.TempDir(), "heartbeat.sock.state") }

func TestStateOutlivesTheWatchdog(t *testing.T) {
	path := statePath(t)
	s, found := openState(t, path, 0, time.Time{})
	assert.Equal(t, Recovered{}, found)
	running := Hold{Job: "1914", Token: 42, Role: watchdog.Finalizer, UID: 1000, Until: time.Hour}
	require.NoError(t, s.Keep(running))
	require.NoError(t, s.Keep(Hold{Job: "1915", Token: 43, Role: watchdog.Finalizer, Until: time.Minute}))
	require.NoError(t, s.Keep(Hold{Job: "1916", Token: 44, Role: watchdog.Worker, Until: time.Hour}))
	require.NoError(t, s.Keep(Hold{Job: "1916", Token: 44, Role: watchdog.Worker}))
	bound := s.Bound()

	_, found = openState(t, path, 30*time.Minute, time.Time{})
	assert.Equal(t, []Hold{running}, found.Holds, "one lapsed, one was ended")
	assert.Equal(t, bound, found.Bound)
	assert.Zero(t, found.HeldUntil(time.Minute, time.Minute))
}

func TestTokensGrowWhateverTheClockDoes(t *testing.T) {
	path := statePath(t)
	s, _ := openState(t, path, 0, epoch)
	last, err := s.Reserve(s.Bound() - 1)
	require.NoError(t, err)
	_, found := openState(t, path, 0, epoch.Add(-1000*time.Hour))
	assert.Equal(t, last, found.Bound, "the clock went back")

	require.NoError(t, os.Remove(path))
	_, found = openState(t, path, 0, epoch.Add(time.Hour))
	assert.Greater(t, found.Bound, last, "the file was lost, the clock is right")
}

func TestReserveWritesOnlyWhenFewAreLeft(t *testing.T) {
	s, _ := openState(t, statePath(t), 0, time.Time{})
	first := s.Bound()
	same, err := s.Reserve(1)
	require.NoError(t, err)
	assert.Equal(t, first, same)
	assert.Zero(t, s.lines)
	more, err := s.Reserve(first - 1)
	require.NoError(t, err)
	assert.Equal(t, first-1+tokenBlock, more)
	_, err = s.Reserve(1 << 53)
	assert.Error(t, err)
}

func TestStateOfAnotherStartOfTheMachine(t *testing.T) {
	path := statePath(t)
	s, _ := openState(t, path, 0, time.Time{})
	require.NoError(t, s.Keep(Hold{Job: "1914", Token: 42, Role: watchdog.Finalizer, Until: time.Hour}))
	_, found, err := OpenState(path, "another", 0, time.Time{})
	require.NoError(t, err)
	assert.Empty(t, found.Holds, "its holders died with it")
	assert.Equal(t, s.Bound(), found.Bound, "its tokens may be in a database")
}

func TestDamagedState(t *testing.T) {
	whole := fmt.Sprintf("{\"boot\":%q,\"bound\":100}\n{\"job\":\"1914\",\"token\":42,\"role\":\"finalizer\",\"until\":3600}\n", boot)
	for name, c := range map[string]struct {
		text    string
		unclear bool
	}{
		"torn at its end":       {whole + `{"job":"1915","tok`, false},
		"damaged in the middle": {"\x00\x00\x00\n" + whole, true},
	} {
		t.Run(name, func(t *testing.T) {
			path := statePath(t)
			require.NoError(t, os.WriteFile(path, []byte(c.text), 0o600))
			_, found := openState(t, path, 0, time.Time{})
			assert.Len(t, found.Holds, 1)
			assert.Equal(t, uint64(100), found.Bound)
			assert.Equal(t, c.unclear, found.HeldUntil(time.Second, time.Minute) == time.Minute)
		})
	}
}

// TestDamageIsNotForgotten is about a watchdog that is started once more before the holds which it cannot know are over.
func TestDamageIsNotForgotten(t *testing.T) {
	head := fmt.Sprintf("{\"boot\":%q,\"bound\":100}\n", boot)
	for name, text := range map[string]string{"a line": head + "{\"job\":\"1914\",\x00\x00\x00\n", "the first line": "\x00\n",
		"all of it": "", "all but a hold": "{\"job\":\"1914\",\"token\":42,\"role\":\"finalizer\",\"until\":3600}\n"} {
		path := statePath(t)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		s, found := openState(t, path, 0, time.Time{})
		assert.Equal(t, holds, found.HeldUntil(0, holds), name)
		_, found = openState(t, path, time.Second, time.Time{})
		assert.Equal(t, holds, found.HeldUntil(time.Second, holds), name)
		assert.Zero(t, found.HeldUntil(holds, holds), "they are over")
		require.NoError(t, s.Close())
		_, found, err := OpenState(path, "another", 0, time.Time{})
		require.NoError(t, err)
		assert.Zero(t, found.HeldUntil(0, holds), "their holders died with the machine")
	}
}

// TestALineThatCameThroughInPart is about what a full disk leaves of a line.
func TestALineThatCameThroughInPart(t *testing.T) {
	path := statePath(t)
	s, _ := openState(t, path, 0, time.Time{})
	_, err := s.file.WriteAt([]byte(`{"job":"1914","token":4`), s.size)
	require.NoError(t, err)
	bound, err := s.Reserve(s.Bound())
	require.NoError(t, err)
	require.NoError(t, s.Keep(Hold{Job: "1915", Token: 42, Role: watchdog.Finalizer, Until: time.Hour}))
	_, found := openState(t, path, 0, time.Time{})
	assert.Equal(t, bound, found.Bound, "tokens up to it may have been given")
	assert.Len(t, found.Holds, 1)
	assert.Zero(t, found.HeldUntil(0, holds), "nothing is damaged")
}

// TestAnOlderTokensLineTakesNoHoldAway: lines reach the file in another order than the registry made them, for its mutex is
// no queue.
func TestAnOlderTokensLineTakesNoHoldAway(t *testing.T) {
	path := statePath(t)
	s, _ := openState(t, path, 0, time.Time{})
	newer := Hold{Job: "1914", Token: 43, Role: watchdog.Finalizer, Until: time.Hour}
	require.NoError(t, s.Keep(newer))
	require.NoError(t, s.Keep(Hold{Job: "1914", Token: 42, Role: watchdog.Finalizer})) // cleared before 43 was given
	_, found := openState(t, path, 0, time.Time{})
	assert.Equal(t, []Hold{newer}, found.Holds)
}

// TestABoundIsSynced reserves in a file that takes what is written and cannot be synced.
func TestABoundIsSynced(t *testing.T) {
	s, _ := openState(t, statePath(t), 0, time.Time{})
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	require.NoError(t, s.file.Close())
	s.file = null
	bound := s.Bound()
	_, err = s.Reserve(bound)
	assert.ErrorContains(t, err, "reserve tokens: sync")
	assert.Equal(t, bound, s.Bound(), "no token that may be given again after the machine broke down")
}

// TestTheStateFileIsOurs is about what a peer can put into the folder, which it shares.
func TestTheStateFileIsOurs(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	precious := fmt.Sprintf("{\"boot\":%q,\"bound\":100}\n{\"job\":\"1915\",\"token\":42,\"role\":\"finalizer\",\"until\":3600}\n", boot)
	require.NoError(t, os.WriteFile(victim, []byte(precious), 0o600))
	path := statePath(t)
	require.NoError(t, os.Symlink(victim, path+".new"))
	_, found := openState(t, path, 0, time.Time{})
	assert.Zero(t, found.HeldUntil(0, holds))

	for name, put := range map[string]func(path string) error{
		"a link": func(path string) error { return os.Symlink(victim, path) },
		"a pipe": func(path string) error { return syscall.Mkfifo(path, 0o666) },
	} {
		path := statePath(t)
		require.NoError(t, put(path), name)
		s, found := openState(t, path, 0, time.Time{})
		assert.Equal(t, holds, found.HeldUntil(0, holds), "%s: what the file told is not known", name)
		assert.Empty(t, found.Holds, name)
		require.NoError(t, s.Keep(Hold{Job: "1914", Token: 42, Role: watchdog.Finalizer, Until: time.Hour}))
		assert.False(t, s.Stale())
		_, found = openState(t, path, 0, time.Time{})
		assert.Len(t, found.Holds, 1)
	}
	text, err := os.ReadFile(victim)
	require.NoError(t, err)
	assert.Equal(t, precious, string(text))
}

func TestRewriteLosesNoHold(t *testing.T) {
	path := statePath(t)
	s, _ := openState(t, path, 0, time.Time{})
	var mu sync.Mutex
	known := map[watchdog.JobID]Hold{}
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for n := range 100 {
				h := Hold{Job: watchdog.JobID(fmt.Sprint(i, n)), Token: 1, Role: watchdog.Finalizer, Until: time.Hour}
				mu.Lock()
				known[h.Job] = h // the registry knows of it first
				mu.Unlock()
				assert.NoError(t, s.Keep(h))
			}
		})
	}
	for range 20 {
		assert.NoError(t, s.Rewrite(func() []Hold {
			if !assert.False(t, s.mu.TryLock(), "none is written down into a file that goes away") {
				s.mu.Unlock()
			}
			mu.Lock()
			defer mu.Unlock()
			holds := make([]Hold, 0, len(known))
			for _, h := range known {
				holds = append(holds, h)
			}
			return holds
		}))
	}
	group.Wait()
	_, found := openState(t, path, 0, time.Time{})
	assert.Len(t, found.Holds, 400)
}

func TestRemovedStateIsWrittenAnew(t *testing.T) {
	path := statePath(t)
	s, _ := openState(t, path, 0, time.Time{})
	assert.False(t, s.Stale())
	require.NoError(t, os.Remove(path))
	assert.True(t, s.Stale())
	require.NoError(t, s.Rewrite(func() []Hold { return nil }))
	assert.False(t, s.Stale())
	assert.FileExists(t, path)
}

func TestStateThatCannotBeWritten(t *testing.T) {
	path := statePath(t)
	s, _ := openState(t, path, 0, time.Time{})
	require.NoError(t, s.file.Close())
	assert.ErrorContains(t, s.Keep(Hold{Job: "1914", Token: 1, Until: 1}), "keep hold")
	bound := s.Bound()
	same, err := s.Reserve(bound)
	assert.ErrorContains(t, err, "reserve tokens")
	assert.Equal(t, bound, same, "nothing is given that is not on disk")

	_, _, err = OpenState(filepath.Join(path, "no folder"), boot, 0, time.Time{})
	assert.Error(t, err)
}
