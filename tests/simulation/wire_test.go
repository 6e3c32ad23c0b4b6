package simulation

import (
	"bytes"
	"time"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// wire is one connection as the witness sees it: what was asked, what was answered, and when. The world's mutex
// guards it.
type wire struct {
	n     int
	life  *life
	of    *incarnation
	asked []question    // not answered yet
	heard time.Duration // when the client last asked anything
	ended time.Duration // when either end was closed; 0: it stands
	lease time.Duration // the shortest that the client has asked for

	asking, telling []byte // lines that are not whole yet
	fatal           bool   // what the client said is no protocol: nothing more is followed
}

// question is a request on its way to its reply.
type question struct {
	protocol.Request
	at     time.Duration // when it was sent
	newest uint64        // token that was seen by then
}

// asks takes in what the client writes.
func (c *wire) asks(p []byte) {
	w := c.of.w
	w.mu.Lock()
	defer w.mu.Unlock()
	c.asking = lines(append(c.asking, p...), func(line []byte) {
		if c.fatal {
			return
		}
		r, wrong := protocol.Parse(bytes.Clone(line))
		c.fatal = wrong != nil && wrong.Fatal
		q := question{Request: r, at: w.now(), newest: w.witness.newest}
		if wrong != nil {
			q.Op = "" // whatever it is, it is refused
		} else {
			c.heard = q.at
		}
		if q.Op == protocol.OpHello && r.Lease != 0 {
			c.lease = min(c.lease, max(r.Lease, time.Second))
		}
		c.asked = append(c.asked, q)
		w.witness.asks(c, q)
	})
	c.fatal = c.fatal || len(c.asking) > protocol.MaxLine
}

// tells takes in what the watchdog writes.
func (c *wire) tells(p []byte) {
	w := c.of.w
	w.mu.Lock()
	defer w.mu.Unlock()
	c.telling = lines(append(c.telling, p...), func(line []byte) {
		if plain(line) && len(c.asked) > 0 && c.asked[0].Op == protocol.OpBeat {
			c.asked = c.asked[1:]
			return
		}
		m, err := protocol.ParseMessage(line)
		if err != nil {
			w.blame("protocol", "%s says what is no message: %s", c.of.name, line)
			return
		}
		if m.Event != "" {
			w.note("%s tells %s: %s", c.of.name, c.life.name, bytes.TrimSpace(line))
			w.witness.tells(c, m)
			return
		}
		if len(c.asked) == 0 {
			if !c.fatal {
				w.blame("protocol", "%s answers what %s did not ask: %s", c.of.name, c.life.name, line)
			}
			return
		}
		q := c.asked[0]
		c.asked = c.asked[1:]
		w.witness.answers(c, q, m)
	})
}

// plain reports whether a reply says no more than that it is one: those to beats, which are most, are not parsed.
func plain(line []byte) bool {
	return bytes.HasPrefix(line, []byte(`{"ok":true`)) && bytes.Count(line, []byte(",")) <= 1
}

// lines hands each whole line on, and returns the rest.
func lines(text []byte, each func([]byte)) []byte {
	for {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			return append([]byte(nil), text...)
		}
		each(text[:i])
		text = text[i+1:]
	}
}

// down notes that an end of the connection was closed.
func (c *wire) down(by string) {
	w := c.of.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.ended == 0 {
		c.ended = w.now()
		w.note("%s hangs up: %s and %s", by, c.life.name, c.of.name)
	}
}
