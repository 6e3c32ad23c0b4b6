package protocol

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/client"
)

// answers is one line of client/answers.jsonl: what a watchdog answers to each op, again and again, and what a
// client makes of it. An answer is an object, to which the request's id is added unless it has one, or one with
// "raw", a text that is written "times" times; an array is several; null is silence. An op that is not named is
// granted: token 42, a hold of 30 s. The client marks job 1, run 2, and checks it once.
type answers struct {
	Case    string                     `json:"case"`
	Answers map[string]json.RawMessage `json:"answers"`
	Granted bool                       `json:"granted"`
	Revoked bool                       `json:"revoked"` // by the mark
	Check   client.State               `json:"check"`
	Reason  string                     `json:"reason"` // of the check; empty: not compared
}

// TestGoClientUnderstandsTheAnswers gives them to the Go client. Those of the other languages have tests of their
// own over the same file.
func TestGoClientUnderstandsTheAnswers(t *testing.T) {
	text, err := os.ReadFile("client/answers.jsonl")
	require.NoError(t, err)
	for written := range bytes.Lines(text) {
		var a answers
		require.NoError(t, json.Unmarshal(written, &a))
		t.Run(a.Case, func(t *testing.T) {
			t.Parallel()
			c := client.New(client.Options{Socket: a.serve(t), Timeout: 300 * time.Millisecond})
			defer c.Close()
			o, err := c.Mark(t.Context(), client.Job{ID: "1", Run: "2"})
			defer o.Clear()
			assert.Equal(t, a.Revoked, err != nil, "%v", err)
			assert.Equal(t, a.Granted, o.Granted())
			check := o.Check(t.Context())
			assert.Equal(t, a.Check, check.State, check.Reason)
			if a.Reason != "" {
				assert.Equal(t, a.Reason, check.Reason)
			}
		})
	}
}

// serve gives the answers to whoever connects.
func (a answers) serve(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "wd")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	path := filepath.Join(folder, "s")
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(t.Context(), func() { _ = conn.Close() })
			go func() {
				defer stop()
				a.talk(conn)
			}()
		}
	}()
	return path
}

func (a answers) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		var request struct {
			Op string          `json:"op"`
			ID json.RawMessage `json:"id"`
		}
		if json.Unmarshal(lines.Bytes(), &request) != nil {
			return
		}
		answer, ok := a.Answers[request.Op]
		if !ok {
			answer = granted(request.Op)
		}
		said := []json.RawMessage{answer}
		if answer[0] == '[' && json.Unmarshal(answer, &said) != nil {
			return
		}
		for _, s := range said {
			if _, err := conn.Write(spoken(s, request.ID)); err != nil {
				return
			}
		}
	}
}

func granted(op string) json.RawMessage {
	switch op {
	case "hello":
		return json.RawMessage(`{"ok":true,"v":1,"session":"s","lease_s":15,"beat_s":5}`)
	case "mark":
		return json.RawMessage(`{"ok":true,"token":42}`)
	case "check":
		return json.RawMessage(`{"ok":true,"hold_s":30}`)
	}
	return json.RawMessage(`{"ok":true}`)
}

// spoken is an answer as it goes over the wire.
func spoken(answer, id json.RawMessage) []byte {
	var object map[string]json.RawMessage
	if json.Unmarshal(answer, &object) != nil || object == nil {
		return nil
	}
	if raw, ok := object["raw"]; ok {
		var text string
		times := 1
		if json.Unmarshal(raw, &text) != nil || object["times"] != nil && json.Unmarshal(object["times"], &times) != nil {
			return nil
		}
		return []byte(strings.Repeat(text, times))
	}
	if object["event"] == nil && object["id"] == nil && id != nil {
		object["id"] = id
	}
	line, err := json.Marshal(object)
	if err != nil {
		return nil
	}
	return append(line, '\n')
}
