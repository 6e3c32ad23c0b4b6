package model

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSight keeps TestHolds from passing because a search was given up: for want of depth, and of memory.
func TestSight(t *testing.T) {
	if !all() {
		t.Skip("make test-all runs it, with what it is about")
	}
	small := search{defines: strings.Fields(worlds()[0].defines)}
	shallow := newChecker(t, small)
	cmd := exec.CommandContext(t.Context(), shallow.path, "-E", "-m100")
	cmd.Dir = shallow.folder
	output, err := cmd.CombinedOutput()
	require.NoError(t, err)
	assert.False(t, read(t, output).complete, "%s", output)

	poor := newChecker(t, small, "-UMEMLIM", "-DMEMLIM=90")
	cmd = poor.command(t.Context())
	output, _ = cmd.CombinedOutput() // it ends with another status then
	assert.False(t, read(t, output).complete, "%s", output)
}
