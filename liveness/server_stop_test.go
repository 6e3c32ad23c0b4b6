package liveness

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
)

// TestStop ends a server while its peers are in the midst of things.
func TestStop(t *testing.T) {
	t.Parallel()
	s := listening(t)
	s.reaper.body = `"x":"` + string(make([]byte, 1<<16)) + `"`
	stop := s.run()
	letGo := s.rows.hang()
	t.Cleanup(letGo)
	var peers []*talk
	for range 50 {
		k := s.dial()
		require.True(t, k.ask(beat).OK)
		peers = append(peers, k)
	}
	peers[0].mark("1914")
	_, err := peers[1].conn.Write([]byte(`{"op":"be`))
	require.NoError(t, err)
	waiting := s.dial()
	waiting.send(checking("2020", waiting.mark("2020")))
	deaf := s.dial()
	for range 50 {
		deaf.send(`{"op":"status"}`)
	}
	require.NoError(t, stop())
	for _, k := range peers {
		k.ended()
	}
	assert.Equal(t, watchdog.Reconnecting, s.state("1914"), "the watchdog's own hang-up least of all is proof")
	assert.True(t, s.socket.Ours(), "the file stays until the socket is closed")
	require.NoError(t, s.close())
	_, err = os.Lstat(s.path)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestTheSocketsFileIsMadeAgain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	before := s.dial()
	before.mark("1914")
	removals := []string{s.path}
	if os.Getenv("WATCHDOG_TEST_ALL") != "" {
		removals = append(removals, filepath.Dir(s.path))
	}
	for _, removed := range removals {
		require.NoError(t, os.RemoveAll(removed))
		assert.False(t, s.socket.Ours())
		s.eventually(s.socket.Ours, "it is noticed")
		there, err := os.Lstat(s.path)
		require.NoError(t, err)
		assert.Equal(t, os.ModeSocket|0o600, there.Mode())
		assert.True(t, s.dial().ask(beat).OK)
		assert.True(t, before.ask(beat).OK, "connections stay")
	}
	assert.Equal(t, watchdog.Connected, s.state("1914"))
	s.eventually(func() bool { return !s.State.Stale() }, "the state file is there, too")
}
