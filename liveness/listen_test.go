package liveness

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListenRefuses(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	stranger := filepath.Join(dir, "stranger")
	l, err := net.Listen("unix", stranger)
	require.NoError(t, err)
	defer l.Close()
	own := filepath.Join(dir, "own")
	first, err := Listen(t.Context(), own, 0o600)
	require.NoError(t, err)
	defer first.Close()
	file, link, sub := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "sub")
	require.NoError(t, os.WriteFile(file, []byte("kept"), 0o600))
	require.NoError(t, os.Symlink("own", link))
	require.NoError(t, os.Mkdir(sub, 0o700))
	for path, why := range map[string]string{
		own:                             "another watchdog serves it",
		stranger:                        "another process listens there",
		file:                            "no socket",
		link:                            "no socket",
		sub:                             "no socket",
		filepath.Join(dir, "none", "s"): "no such file or directory",
	} {
		before, _ := os.Lstat(path)
		_, err := Listen(t.Context(), path, 0o600)
		assert.ErrorContains(t, err, why, path)
		after, _ := os.Lstat(path)
		assert.True(t, before == after || os.SameFile(before, after), "%s is as it was", path)
	}
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "kept", string(kept))
	assert.True(t, first.Ours())
	for _, path := range []string{own, stranger} {
		conn, err := dialUnix(path)
		require.NoError(t, err, "its owner goes on")
		conn.Close()
	}

	require.NoError(t, os.Remove(file))
	again, err := Listen(t.Context(), file, 0o600)
	require.NoError(t, err, "who refused keeps no lock")
	require.NoError(t, again.Close())
}

// TestListenFollowsNoLink is about what a peer can put into the folder, which it shares.
func TestListenFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	path, victim := filepath.Join(dir, "s"), filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.Symlink(victim, path+".lock"))
	_, err := Listen(t.Context(), path, 0o600)
	assert.ErrorContains(t, err, "s.lock is a symbolic link; remove it")
	assert.NoFileExists(t, victim)

	require.NoError(t, os.WriteFile(victim, nil, 0o600))
	require.NoError(t, os.Symlink(victim, path+".new"))
	assert.Error(t, (&Socket{path: path, mode: 0o666}).publish(path+".new"), "it was put there after the socket was made")
	there, err := os.Stat(victim)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), there.Mode())
}

func TestListenReplacesAStaleSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	require.NoError(t, l.Close()) // as a watchdog leaves it that was killed
	require.NoError(t, os.WriteFile(bornAt(path), nil, 0o600))

	s, err := Listen(t.Context(), path, 0o600)
	require.NoError(t, err)
	conn, err := dialUnix(path)
	require.NoError(t, err)
	conn.Close()
	require.NoError(t, s.Close())
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1)
	assert.Equal(t, "s.lock", left[0].Name())
	s, err = Listen(t.Context(), path, 0o600)
	require.NoError(t, err, "the lock is let go")
	require.NoError(t, s.Close())
}

func TestCloseRemovesOnlyItsOwnFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "s")
	s, err := Listen(t.Context(), path, 0o600)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer l.Close()
	assert.False(t, s.Ours())
	assert.ErrorContains(t, s.Again(t.Context()), "another process listens there")
	require.NoError(t, s.Close())
	conn, err := dialUnix(path)
	require.NoError(t, err, "the other's is kept")
	conn.Close()
}

func TestABornSocketIsClosed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "s")
	l, err := bear(t.Context(), path)
	require.NoError(t, err)
	defer l.Close()
	there, err := os.Lstat(path)
	require.NoError(t, err)
	assert.Equal(t, os.ModeSocket, there.Mode(), "nobody may connect until it has its mode")
}

// TestTheModeIsThereFromTheFirstInstant looks at the path all the while.
func TestTheModeIsThereFromTheFirstInstant(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "s")
	var done atomic.Bool
	var wrong sync.Map
	var looked sync.WaitGroup
	looked.Go(func() {
		for !done.Load() {
			if there, err := os.Lstat(path); err == nil && there.Mode() != os.ModeSocket|0o666 {
				wrong.Store(there.Mode().String(), true)
			}
		}
	})
	for range 200 {
		s, err := Listen(t.Context(), path, 0o666) // what no umask leaves
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
	done.Store(true)
	looked.Wait()
	wrong.Range(func(mode, _ any) bool { return assert.Fail(t, "seen with another mode", mode) })
}

func TestTheLongestPath(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	deep := filepath.Join(dir, strings.Repeat("d", 107-len(dir)-len("//s")))
	require.NoError(t, os.Mkdir(deep, 0o700))
	for _, path := range []string{filepath.Join(deep, "s"), filepath.Join(dir, strings.Repeat("s", 107-len(dir)-len("/")))} {
		require.Len(t, path, 107, "as many as the kernel takes")
		s, err := Listen(t.Context(), path, 0o600)
		require.NoError(t, err)
		conn, err := dialUnix(path)
		require.NoError(t, err)
		conn.Close()
		require.NoError(t, s.Close())
	}
}

func TestTwoSocketsInOneFolder(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	var both sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		both.Go(func() {
			for range 100 {
				s, err := Listen(t.Context(), filepath.Join(dir, name), 0o600)
				if assert.NoError(t, err) {
					assert.True(t, s.Ours())
					assert.NoError(t, s.Close())
				}
			}
		})
	}
	both.Wait()
}
