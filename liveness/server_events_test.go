package liveness

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEventsComeBeforeReplies has jobs reaped under an owner that speaks all the while.
func TestEventsComeBeforeReplies(t *testing.T) {
	t.Parallel()
	s := serve(t)
	k := s.dial()
	for i := range 100 {
		job := fmt.Sprint(i)
		token := k.mark(job)
		reaped := make(chan struct{})
		go func() {
			defer close(reaped)
			s.reap(job)
		}()
		told := false
		for revoked := false; !revoked; {
			k.send(stepping(job, token), stepping(job, token), stepping(job, token))
			for replies := 0; replies < 3; {
				m := k.next()
				if m.Event != "" {
					require.False(t, told, "once")
					require.Equal(t, token, m.Token)
					require.Equal(t, "backstop", m.Reason)
					told = true
					continue
				}
				replies++
				require.Equal(t, told, !m.OK, "a reply knows what the event has told, and no other does: %v", m)
				revoked = !m.OK
			}
		}
		<-reaped
	}
}

func TestAnEventDoesNotWaitForARequest(t *testing.T) {
	t.Parallel()
	s := serve(t)
	k, other := s.dial(), s.dial()
	token := k.mark("1914")
	other.mark("2020")
	s.reap("1914")
	m := k.next()
	assert.Equal(t, "revoked", m.Event)
	assert.Equal(t, "1914", m.Job)
	assert.Equal(t, token, m.Token)
	assert.True(t, other.ask(beat).OK, "it is its owner's alone")
}
