package client_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/client"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// twice is a client that marked the job twice under its one key, which has one token.
func twice(t *testing.T) (w *watchdog, c *client.Client, l *line, first, second *client.Ownership) {
	w, c, l, first = owned(t)
	return w, c, l, first, l.mark(c, 42)
}

func TestEveryOwnershipOfOneKeyIsRevoked(t *testing.T) {
	for name, revoke := range map[string]func(t *testing.T, l *line, o *client.Ownership){
		"by an event": func(_ *testing.T, l *line, _ *client.Ownership) {
			l.write(`{"event":"revoked","job":"1914","token":42,"reason":"backstop"}`)
		},
		"by a reply": func(t *testing.T, l *line, o *client.Ownership) {
			asked := later(func() client.Answer { return o.Check(t.Context()) })
			l.answer(protocol.OpCheck, `"ok":false,"error":"revoked","reason":"backstop"`)
			<-asked
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, c, l, first, second := twice(t)
				defer c.Close()
				lives := []context.Context{first.Context(t.Context()), second.Context(t.Context())}
				revoke(t, l, second)
				synctest.Wait()
				for _, life := range lives {
					require.Error(t, life.Err())
					assert.Equal(t, &client.RevokedError{Job: "1914", Reason: "backstop"}, context.Cause(life))
				}
				assert.Equal(t, client.Revoked, first.Check(t.Context()).State)
				assert.Zero(t, c.Kept())
			})
		})
	}
}

func TestTheLastOwnershipOfOneKeyClears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, first, second := twice(t)
		defer c.Close()
		assert.Zero(t, spent(second.Clear), "there is nothing to be told")
		assert.Equal(t, client.Revoked, second.Check(t.Context()).State)
		asked := later(func() client.Answer { return first.Check(t.Context()) })
		l.answer(protocol.OpCheck, `"ok":true,"hold_s":30`) // before which no clear came
		assert.Equal(t, client.OK, (<-asked).State)

		cleared := later(func() bool { first.Clear(); return true })
		assert.EqualValues(t, 42, l.answer(protocol.OpClear, `"ok":true`).Token)
		<-cleared
		synctest.Wait()
		assert.Zero(t, c.Kept())
	})
}

// A clear that was sent behind the other's mark would end what that mark was just granted.
func TestAClearDoesNotFollowAMarkOfItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, l, first := owned(t)
		defer c.Close()
		marked := later(func() *client.Ownership {
			o, err := c.Mark(t.Context(), job)
			assert.NoError(t, err)
			return o
		})
		mark := l.expect(protocol.OpMark)
		first.Clear()
		l.reply(mark, `"ok":true,"token":42`)
		second := <-marked
		l.silent(4 * time.Second)
		assert.True(t, second.Granted())
	})
}

func TestEveryOwnershipOfOneKeyIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c, l, first, second := twice(t)
		defer c.Close()
		require.NoError(t, l.conn.Close())
		l = w.accept()
		for range 2 {
			assert.EqualValues(t, 42, l.answer(protocol.OpMark, `"ok":true,"token":42`).Token)
		}
		second.Clear()
		l.silent(4 * time.Second)
		assert.False(t, first.Revoked())
	})
}
