package protocol

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Append writes the request as a client's line, its newline included. Zero fields are left out.
func (r *Request) Append(b []byte) []byte {
	b = appendText(append(b, `{"op":`...), string(r.Op))
	if len(r.ID) > 0 {
		b = append(append(b, `,"id":`...), r.ID...)
	}
	if r.Version != 0 {
		b = strconv.AppendInt(append(b, `,"v":`...), int64(r.Version), 10)
	}
	for _, f := range [...]struct{ name, text string }{
		{`,"name":`, r.Name}, {`,"job":`, r.Job}, {`,"run":`, r.Run}, {`,"key":`, r.Key},
		{`,"task":`, r.Task}, {`,"stage":`, r.Stage}, {`,"role":`, r.Role}, {`,"step":`, r.Step},
	} {
		if f.text != "" {
			b = appendText(append(b, f.name...), f.text)
		}
	}
	if r.Token != 0 {
		b = strconv.AppendUint(append(b, `,"token":`...), r.Token, 10)
	}
	for _, f := range [...]struct {
		name string
		span time.Duration
	}{{`,"lease_s":`, r.Lease}, {`,"budget_s":`, r.Budget}, {`,"hold_s":`, r.Hold}} {
		if f.span != 0 {
			b = strconv.AppendFloat(append(b, f.name...), f.span.Seconds(), 'f', -1, 64)
		}
	}
	if r.Op == OpSwitch {
		b = strconv.AppendBool(append(b, `,"finalizer_liveness":`...), r.FinalizerLiveness)
	}
	return append(b, '}', '\n')
}

// Message is one line of the watchdog as a client reads it: a reply, or an event when Event is set.
type Message struct {
	OK      bool            `json:"ok"`
	ID      json.RawMessage `json:"id"`
	Error   Code            `json:"error"`
	Field   string          `json:"field"`
	Text    string          `json:"message"`
	Session string          `json:"session"`
	LeaseS  float64         `json:"lease_s"`
	BeatS   float64         `json:"beat_s"`
	Token   uint64          `json:"token"`
	HoldS   float64         `json:"hold_s"`
	Reason  string          `json:"reason"`
	Owner   struct {
		Name   string  `json:"name"`
		SinceS float64 `json:"since_s"`
	} `json:"owner"`

	Event string `json:"event"` // "revoked"
	Job   string `json:"job"`   // of an event
}

// ParseMessage reads one line of the watchdog.
func ParseMessage(line []byte) (Message, error) {
	var m Message
	if err := json.Unmarshal(line, &m); err != nil {
		return m, fmt.Errorf("parse message: %w", err)
	}
	return m, nil
}
