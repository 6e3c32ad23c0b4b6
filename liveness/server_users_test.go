package liveness

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// TestWhatOneUserMayDoToAnother is the table in docs/operations.md, "What they can do there".
func TestWhatOneUserMayDoToAnother(t *testing.T) {
	t.Parallel()
	s := serve(t)
	owner := s.dial()
	token := owner.mark("1914")
	resuming := func(job string, token uint64) string {
		return fmt.Sprintf(`{"op":"mark","job":%q,"run":"1","token":%d}`, job, token)
	}
	other, root := s.dialAs(t, os.Getuid()+1), s.dialAs(t, 0)
	for name, k := range map[string]*talk{"another user": other, "root": root} {
		assert.True(t, k.ask(marking("by "+name)).OK, "mark any job that nobody has marked")
		assert.Equal(t, protocol.Owned, k.ask(marking("1914")).Error, "nor one whose owner is connected")
		assert.Equal(t, protocol.NotOwner, k.ask(checking("1914", token)).Error)
		assert.Equal(t, protocol.NotOwner, k.ask(stepping("1914", token)).Error)
		assert.Equal(t, protocol.NotOwner, k.ask(clearing("1914", token)).Error)
		assert.True(t, k.ask(`{"op":"status"}`).OK)
	}
	assert.Equal(t, protocol.NotOwner, other.ask(resuming("1914", token)).Error)
	assert.Equal(t, protocol.Forbidden, other.ask(`{"op":"switch","finalizer_liveness":false}`).Error)
	assert.Equal(t, protocol.Forbidden, other.ask(`{"op":"release-brake"}`).Error)
	require.Equal(t, watchdog.Connected, s.state("1914"), "nothing was taken")
	assert.True(t, owner.ask(checking("1914", token)).OK)

	same := s.dial()
	assert.Equal(t, protocol.NotOwner, same.ask(clearing("1914", token)).Error, "also of the same user: it is another session's")
	assert.True(t, same.ask(resuming("1914", token)).OK)
	assert.Equal(t, protocol.NotOwner, owner.ask(checking("1914", token)).Error)
	assert.True(t, root.ask(`{"op":"switch","finalizer_liveness":false}`).OK)
}
