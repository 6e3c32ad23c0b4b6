package protocol_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

func TestReplyWritesTheMembersOfItsKind(t *testing.T) {
	for want, reply := range map[string]protocol.Reply{
		`{"ok":true}`:          {},
		`{"ok":true,"id":"a"}`: {ID: []byte(`"a"`)},
		`{"ok":true,"v":1,"session":"s-1","lease_s":15,"beat_s":5}`: {
			Session: "s-1", Lease: 15 * time.Second, Beat: 5 * time.Second},
		`{"ok":true,"token":9007199254740991}`: {Token: protocol.MaxToken},
		`{"ok":true,"hold_s":30}`:              {Hold: 30 * time.Second},
		`{"ok":true,"hold_s":1.001}`:           {Hold: 1001 * time.Millisecond},
		`{"ok":true,"hold_s":1.999}`:           {Hold: 2*time.Second - 1},
		`{"ok":true,"owned":1,"x":[]}`:         {Body: []byte(`"owned":1,"x":[]`)},
		`{"ok":false,"error":"bad-request","id":7,"field":"job","message":"is missing"}`: {
			ID: []byte(`7`), Err: &protocol.Error{Code: protocol.BadRequest, Field: "job", Message: "is missing"}},
		`{"ok":false,"error":"revoked","reason":"backstop"}`: {
			Err: &protocol.Error{Code: protocol.Revoked}, Reason: "backstop"},
		`{"ok":false,"error":"owned","owner":{"name":"b\"c","since_s":12.5}}`: {
			Err: &protocol.Error{Code: protocol.Owned}, Owner: `b"c`, Since: 12500 * time.Millisecond},
		`{"ok":false,"error":"unavailable","message":"the database is away"}`: {
			Err: &protocol.Error{Code: protocol.Unavailable, Message: "the database is away"}, Token: 7},
	} {
		assert.Equal(t, want+"\n", string(reply.Append(nil)))
	}
}

func TestEventWritesWhatWasRevoked(t *testing.T) {
	event := protocol.Event{Job: "1914", Token: 42, Reason: "backstop"}
	assert.Equal(t, `>{"event":"revoked","job":"1914","token":42,"reason":"backstop"}`+"\n", string(event.Append([]byte(">"))))
}

func TestErrorNamesItsFieldAndMessage(t *testing.T) {
	assert.EqualError(t, &protocol.Error{Code: protocol.Overloaded}, "overloaded")
	assert.EqualError(t, &protocol.Error{Code: protocol.BadRequest, Field: "job", Message: "is missing"}, "bad-request: job: is missing")
}

func TestParseMessageReadsRepliesAndEvents(t *testing.T) {
	m, err := protocol.ParseMessage([]byte(`{"ok":true,"id":3,"v":1,"session":"s","lease_s":15,"beat_s":2.5,"later":{}}`))
	require.NoError(t, err)
	assert.Equal(t, protocol.Message{OK: true, ID: []byte("3"), Session: "s", LeaseS: 15, BeatS: 2.5}, m)

	m, err = protocol.ParseMessage([]byte(`{"ok":false,"error":"owned","owner":{"name":"b","since_s":12.5}}`))
	require.NoError(t, err)
	assert.Equal(t, protocol.Owned, m.Error)
	assert.Equal(t, "b", m.Owner.Name)
	assert.Equal(t, 12.5, m.Owner.SinceS)

	m, err = protocol.ParseMessage([]byte(`{"event":"revoked","job":"1914","token":42,"reason":"backstop"}`))
	require.NoError(t, err)
	assert.Equal(t, protocol.Message{Event: "revoked", Job: "1914", Token: 42, Reason: "backstop"}, m)

	for _, line := range []string{"", "[]", "7", `{"ok":1}`, `{"token":-1}`, `{"ok":true`} {
		_, err = protocol.ParseMessage([]byte(line))
		assert.ErrorContains(t, err, "parse message: ", line)
	}
}
