package protocol

import (
	"encoding/json"
	"strconv"
	"time"
)

// Reply is what the watchdog answers, or tells unasked. Append writes the members that its kind has.
type Reply struct {
	ID  []byte // the request's, as JSON text
	Err *Error // nil: granted

	Session string        // hello
	Lease   time.Duration // hello
	Beat    time.Duration // hello
	Token   uint64        // mark
	Hold    time.Duration // check
	Reason  string        // of an Err with the code Revoked
	Owner   string        // of an Err with the code Owned: the holder's name
	Since   time.Duration // of an Err with the code Owned: for how long it has owned
	Body    []byte        // status: JSON members, without braces
}

// Append writes the reply as one line, its newline included.
func (r *Reply) Append(b []byte) []byte {
	if r.Err != nil {
		b = append(b, `{"ok":false,"error":"`...)
		b = append(b, r.Err.Code...)
		b = append(b, '"')
	} else {
		b = append(b, `{"ok":true`...)
	}
	if len(r.ID) > 0 {
		b = append(b, `,"id":`...)
		b = append(b, r.ID...)
	}
	if r.Err != nil {
		b = r.appendError(b)
	} else {
		b = r.appendGranted(b)
	}
	return append(b, '}', '\n')
}

func (r *Reply) appendGranted(b []byte) []byte {
	if r.Session != "" {
		b = append(b, `,"v":1,"session":`...)
		b = appendText(b, r.Session)
		b = appendSeconds(append(b, `,"lease_s":`...), r.Lease)
		b = appendSeconds(append(b, `,"beat_s":`...), r.Beat)
	}
	if r.Token != 0 {
		b = strconv.AppendUint(append(b, `,"token":`...), r.Token, 10)
	}
	if r.Hold != 0 {
		b = appendSeconds(append(b, `,"hold_s":`...), r.Hold)
	}
	if len(r.Body) > 0 {
		b = append(append(b, ','), r.Body...)
	}
	return b
}

func (r *Reply) appendError(b []byte) []byte {
	if r.Err.Field != "" {
		b = appendText(append(b, `,"field":`...), r.Err.Field)
	}
	if r.Err.Message != "" {
		b = appendText(append(b, `,"message":`...), r.Err.Message)
	}
	switch r.Err.Code {
	case Revoked:
		b = appendText(append(b, `,"reason":`...), r.Reason)
	case Owned:
		b = appendText(append(b, `,"owner":{"name":`...), r.Owner)
		b = append(appendSeconds(append(b, `,"since_s":`...), r.Since), '}')
	}
	return b
}

// Event tells a session that it owns a job no more.
type Event struct {
	Job    string
	Token  uint64
	Reason string
}

// Append writes the event as one line, its newline included.
func (e Event) Append(b []byte) []byte {
	b = appendText(append(b, `{"event":"revoked","job":`...), e.Job)
	b = strconv.AppendUint(append(b, `,"token":`...), e.Token, 10)
	b = appendText(append(b, `,"reason":`...), e.Reason)
	return append(b, '}', '\n')
}

// appendSeconds writes a span in milliseconds' precision, rounded down: a hold or a lease must never look
// longer to the client than it is.
func appendSeconds(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, float64(d.Milliseconds())/1000, 'f', -1, 64)
}

func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(text) // a string always can be
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}
