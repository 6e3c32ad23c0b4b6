package protocol_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// FuzzParse holds the parser against encoding/json: a line is fatal exactly when that sees no object, and what
// both accept they read alike.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"", "[]", "null", "{}", `{"op":"beat"}`, `{"op":"mark","job":1914,"run":2207,"key":"t-7"}`, `{"op":"mark","job":1914}`,
		`{"op":"hello","v":99}`, `{"op":"step","job":1,"token":2,"step":"s","budget_s":-1}`, `{"op":"check","job":1,"token":9007199254740992}`,
		`{"op":"clear","job":123456789012345678901234567890123456789,"token":1}`, `{"op":"nonsense"}`, "{\"op\":\"be\x00at\"}",
		"{\"op\":\"\xff\"}", `{"op":"\ud83d\ude00","a":"\ud800"}`, `{"a":[{"b":[null,true,-1.5e+3,"\n"]}]}`, `{"a":1,"a":2}`,
		strings.Repeat("[", 300), strings.Repeat("x", protocol.MaxLine+1), `{"op":"beat","id":01}`, ` {"op" : "beat"} `,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		r, err := protocol.Parse(line)
		if !bytes.Equal(before, line) {
			t.Fatal("the line was written to")
		}
		if len(line) > protocol.MaxLine {
			if err == nil || err.Code != protocol.TooLong || !err.Fatal {
				t.Fatalf("a line of %d bytes: %v", len(line), err)
			}
			return
		}
		var object map[string]any
		isObject := json.Valid(line) && readNumbersAsText(line, &object) == nil && object != nil
		if fatal := err != nil && err.Fatal; fatal == isObject {
			t.Fatalf("an object: %v, yet %v", isObject, err)
		}
		if err != nil {
			reply := protocol.Reply{ID: r.ID, Err: err}
			readable(t, reply.Append(nil))
			return
		}
		if !utf8.Valid(line) {
			t.Fatal("invalid UTF-8 was accepted")
		}
		for name, got := range map[string]string{"op": string(r.Op), "name": r.Name, "key": r.Key, "task": r.Task, "stage": r.Stage, "step": r.Step} {
			if want, _ := object[name].(string); want != got {
				t.Fatalf("%s is %q, should be %q", name, got, want)
			}
		}
		roundTrip(t, r)
	})
}

// FuzzParser checks that what a peer said before changes nothing in how its line is read.
func FuzzParser(f *testing.F) {
	f.Add([]byte(`{"op":"clear","job":"a\\n","token":1}`), []byte(`{"op":"clear","job":"a\n","token":1}`))
	f.Add([]byte(`{"op":"clear","job":"a\n","token":1}`), []byte(`{"op":"clear","job":"a\\n","token":1}`))
	f.Add([]byte(`{"op":"mark","job":1,"run":2,"key":"k","stage":"s"}`), []byte(`{"op":"mark","job":"1","run":"2","key":null,"stage":""}`))
	f.Add([]byte(`{"op":"clear","job":"1.5","token":1}`), []byte(`{"op":"clear","job":1.5,"token":1}`))
	f.Fuzz(func(t *testing.T, before, line []byte) {
		var p protocol.Parser
		_, _ = p.Parse(before)
		clear(before) // a connection reads the next line where this one stood
		for range 2 {
			r, err := p.Parse(line)
			want, wantErr := protocol.Parse(line)
			if !reflect.DeepEqual(want, *r) || !reflect.DeepEqual(wantErr, err) {
				t.Fatalf("%s\nread  %+v, %v\nafter %+v, %v", line, want, wantErr, r, err)
			}
		}
	})
}

// readNumbersAsText is json.Unmarshal but for numbers, of which that takes no larger ones than a float64 can be.
func readNumbersAsText(line []byte, object *map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	return d.Decode(object)
}

// FuzzRoundTrip checks that what a client writes is what the watchdog reads.
func FuzzRoundTrip(f *testing.F) {
	f.Add("mark", "1914", "2207", "t-7", "deploy-staging", uint64(42), int64(15e9), true)
	f.Add("step", "ä\x00\"\\", " ", "😀", "<&>\u2028", uint64(protocol.MaxToken), int64(1), false)
	f.Add("switch", "1", "1", "", "", uint64(0), int64(1001e6), true)
	f.Add("hello", "1", "1", "", "", uint64(0), int64(1<<50), true)
	f.Fuzz(func(t *testing.T, op, job, run, key, word string, token uint64, span int64, on bool) {
		for _, s := range []string{op, job, run, key, word} {
			if !utf8.ValidString(s) || len(s) > protocol.MaxID {
				t.Skip("no text of the protocol")
			}
		}
		// Above 2^50 ns the double that carries a span is coarser than a nanosecond.
		d := time.Duration(span) & (1<<50 - 1)
		r := protocol.Request{Op: protocol.Op(op), Version: 1, Name: word, Lease: d, Job: job, Run: run, Key: key, Task: word,
			Stage: word, Role: "worker", Token: token & protocol.MaxToken, Step: word, Budget: d, Hold: d, ID: []byte("7")}
		if r.Op == protocol.OpSwitch {
			r.FinalizerLiveness = on
		}
		if line := r.Append(nil); len(line) <= protocol.MaxLine {
			if _, err := protocol.Parse(bytes.TrimSuffix(line, []byte("\n"))); err == nil {
				roundTrip(t, r)
			} else if err.Fatal {
				t.Fatalf("%s: %v", line, err)
			}
		}
	})
}

// roundTrip checks that the request, which Parse accepts, comes back as it was written.
func roundTrip(t *testing.T, r protocol.Request) {
	t.Helper()
	if max(r.Lease, r.Budget, r.Hold) >= 1<<50 {
		return
	}
	line := r.Append(nil)
	if len(line) > protocol.MaxLine || !oneLine(line) || lostByBeingEmpty(r) {
		return
	}
	again, err := protocol.Parse(line[:len(line)-1])
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if !reflect.DeepEqual(r, again) {
		t.Fatalf("%s\nwrote %+v\nread  %+v", line, r, again)
	}
}

// lostByBeingEmpty reports a request whose required text is there and empty: Append leaves that out.
func lostByBeingEmpty(r protocol.Request) bool {
	return r.Op == protocol.OpStep && r.Step == ""
}

// FuzzReply checks that whatever a reply or an event is made of, it is one line of JSON that a client reads.
func FuzzReply(f *testing.F) {
	f.Add("backstop", "orchestrator-0", uint64(42), int64(15e9))
	f.Add("\xff\x00\n\"\\", "\u2028\x7f", uint64(1), int64(1))
	f.Fuzz(func(t *testing.T, a, b string, token uint64, span int64) {
		d := time.Duration(span) & (1<<62 - 1)
		for _, reply := range []protocol.Reply{
			{Session: a, Lease: d, Beat: d, Token: token, Hold: d},
			{ID: []byte(`"x"`), Err: &protocol.Error{Code: protocol.BadRequest, Field: a, Message: b}},
			{Err: &protocol.Error{Code: protocol.Revoked}, Reason: a},
			{Err: &protocol.Error{Code: protocol.Owned}, Owner: a, Since: d},
		} {
			m := readable(t, reply.Append(nil))
			if m.OK != (reply.Err == nil) || m.Event != "" {
				t.Fatalf("%+v became %+v", reply, m)
			}
			if span := time.Duration(m.LeaseS * float64(time.Second)); reply.Lease < 1<<50 && span > reply.Lease {
				t.Fatalf("a lease of %v looks like %v", reply.Lease, span)
			}
		}
		m := readable(t, protocol.Event{Job: a, Token: token, Reason: b}.Append(nil))
		if m.Event != "revoked" || m.Token != token || m.OK {
			t.Fatalf("read %+v", m)
		}
		if utf8.ValidString(a) && m.Job != a {
			t.Fatalf("job %q became %q", a, m.Job)
		}
	})
}

func readable(t *testing.T, line []byte) protocol.Message {
	t.Helper()
	if !oneLine(line) || !json.Valid(line) {
		t.Fatalf("no line of JSON: %q", line)
	}
	m, err := protocol.ParseMessage(line)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return m
}

func oneLine(line []byte) bool { return bytes.IndexByte(line, '\n') == len(line)-1 }
