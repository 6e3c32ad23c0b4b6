package client_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// TestContextsEndBeforeAnyoneIsTold makes many contexts, so that one which ends a moment later shows.
func TestContextsEndBeforeAnyoneIsTold(t *testing.T) {
	for name, end := range map[string]func(l *line, o *client.Ownership){
		"revoked": func(l *line, o *client.Ownership) {
			answer := later(func() client.Answer { return o.Check(context.Background()) })
			l.answer(protocol.OpCheck, `"ok":false,"error":"revoked","reason":"backstop"`)
			<-answer
		},
		"cleared": func(l *line, o *client.Ownership) {
			cleared := later(func() bool { o.Clear(); return true })
			l.answer(protocol.OpClear, `"ok":true`)
			<-cleared
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, c, l, o := owned(t)
				defer c.Close()
				contexts := make([]context.Context, 1000)
				for i := range contexts {
					contexts[i] = o.Context(t.Context())
				}
				end(l, o)
				for _, ctx := range contexts {
					require.ErrorIs(t, ctx.Err(), context.Canceled)
				}
			})
		})
	}
}
