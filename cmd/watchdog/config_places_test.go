package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a file or a folder holds is part of its setting, and told with all the others.
func TestContentsOfPlaces(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "due.sql"), []byte("SELECT 1"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lock.sql"), []byte("SELECT 1 WHERE :id = :now"), 0o600))
	web := filepath.Join(t.TempDir(), "web.yml")
	require.NoError(t, os.WriteFile(web, []byte("bogus: 1\n"), 0o600))
	env := sound(t, "WATCHDOG_SQL_DIR="+dir, "WATCHDOG_WEB_CONFIG_FILE="+web)
	lines := faultsOf(t, env)
	require.Len(t, lines, 2)
	assert.Contains(t, lines[0], `WATCHDOG_SQL_DIR="`+dir+`": must hold statements that keep the contract: read statements: `+dir+"/due.sql is no")
	assert.Contains(t, lines[1], `WATCHDOG_WEB_CONFIG_FILE="`+web+`": must be what the exporter-toolkit takes: yaml: `)
	assert.Contains(t, lines[1], "field bogus not found")

	require.NoError(t, os.Remove(filepath.Join(dir, "due.sql")))
	lines = faultsOf(t, append(env, "WATCHDOG_SOCKET="))
	require.Len(t, lines, 2)
	assert.Contains(t, lines[0], "lock.sql): parameter :job is missing; parameter :id is unknown; parameter :now is unknown")
}

func TestLongestSocketPath(t *testing.T) {
	folder := t.TempDir() + "/"
	longest := folder + strings.Repeat("s", 107-len(folder))
	assert.Empty(t, faultsOf(t, sound(t, "WATCHDOG_SOCKET="+longest)))
	assert.Len(t, faultsOf(t, sound(t, "WATCHDOG_SOCKET="+longest+"s")), 1)
}

func TestUnwritableSocketFolder(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o555))
	lines := asNobody(func() []string {
		return faultsOf(t, sound(t, "WATCHDOG_SOCKET="+folder+"/hb.sock"))
	})
	require.Len(t, lines, 1)
	assert.Contains(t, lines[0], "must be in a folder that this user may write to; "+folder+": permission denied")
}
