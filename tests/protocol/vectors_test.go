package protocol

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// conversation is one case of a file.
type conversation struct {
	name  string
	rows  []row
	lines []line
}

// line is one line of a file; see the package's comment.
type line struct {
	Case   string         `json:"case"`
	Rows   []row          `json:"rows"`
	On     string         `json:"on"`
	Send   map[string]any `json:"send"`
	Raw    *string        `json:"raw"`
	Hex    string         `json:"hex"`
	Times  int            `json:"times"`
	Open   bool           `json:"open"`
	Reply  map[string]any `json:"reply"`
	Event  map[string]any `json:"event"`
	Closed bool           `json:"closed"`
	Hangup bool           `json:"hangup"`
	Differ []string       `json:"differ"`
}

// row is a job that the database holds.
type row struct {
	Job    json.Number `json:"job"`
	Run    json.Number `json:"run"`
	Status string      `json:"status"`
}

func TestServerSpeaksTheVectors(t *testing.T) {
	s := serve(t)
	files, err := filepath.Glob("*.jsonl")
	require.NoError(t, err)
	cases := 0
	for _, file := range files {
		for _, c := range read(t, file) {
			cases++
			t.Run(strings.TrimSuffix(file, ".jsonl")+"/"+c.name, func(t *testing.T) {
				s.rows.add(c.rows)
				talk := talk{peers: make(map[string]*peer), socket: s.path, variables: make(map[string]any)}
				for _, l := range c.lines {
					talk.run(t, l)
				}
			})
		}
	}
	assert.Greater(t, cases, 100, "the vectors were not found")
}

func read(t *testing.T, file string) []conversation {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var all []conversation
	for written := range bytes.Lines(text) {
		var l line
		strict := json.NewDecoder(bytes.NewReader(written))
		strict.DisallowUnknownFields()
		strict.UseNumber()
		require.NoError(t, strict.Decode(&l), "%s: %s", file, written)
		if l.Case != "" {
			all = append(all, conversation{name: l.Case, rows: l.Rows})
			continue
		}
		last := &all[len(all)-1]
		last.lines = append(last.lines, l)
	}
	return all
}

// talk is one conversation that goes on.
type talk struct {
	socket    string
	peers     map[string]*peer
	variables map[string]any
}

// peer is one of its connections.
type peer struct {
	net.Conn
	lines *bufio.Reader
}

func (c *talk) run(t *testing.T, l line) {
	t.Helper()
	if len(l.Differ) > 0 {
		require.NotEqual(t, c.variables[l.Differ[0]], c.variables[l.Differ[1]])
		return
	}
	p := c.peer(t, l.On)
	switch {
	case l.Send != nil:
		request, err := json.Marshal(c.filled(l.Send))
		require.NoError(t, err)
		p.send(t, append(request, '\n'))
	case l.Raw != nil:
		p.send(t, l.ended(strings.Repeat(*l.Raw, max(l.Times, 1))))
	case l.Hex != "":
		data, err := hex.DecodeString(l.Hex)
		require.NoError(t, err)
		p.send(t, l.ended(string(data)))
	case l.Closed:
		_, err := p.lines.ReadByte()
		require.Error(t, err, "the watchdog should have hung up")
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	case l.Hangup:
		require.NoError(t, p.Close())
		delete(c.peers, l.On)
	case l.Reply != nil, l.Event != nil:
		c.hear(t, p, l)
	default:
		require.Fail(t, "the line says nothing", "%+v", l)
	}
}

func (l line) ended(text string) []byte {
	if l.Open {
		return []byte(text)
	}
	return []byte(text + "\n")
}

func (c *talk) peer(t *testing.T, name string) *peer {
	t.Helper()
	if p := c.peers[name]; p != nil {
		return p
	}
	conn, err := net.Dial("unix", c.socket)
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
	t.Cleanup(func() { _ = conn.Close() })
	p := &peer{Conn: conn, lines: bufio.NewReader(conn)}
	c.peers[name] = p
	return p
}

// send gives the peer's bytes to the watchdog, which may hang up before it has read them all.
func (p *peer) send(t *testing.T, data []byte) {
	t.Helper()
	_, err := p.Write(data)
	if err != nil {
		require.ErrorContains(t, err, "broken pipe")
	}
}

// filled is the object with its variables replaced.
func (c *talk) filled(object map[string]any) map[string]any {
	object = maps.Clone(object)
	for name, value := range object {
		if variable, ok := value.(string); ok {
			if found, ok := c.variables[variable]; ok {
				object[name] = found
			}
		}
	}
	return object
}

// hear takes in the next line and compares it with what should come.
func (c *talk) hear(t *testing.T, p *peer, l line) {
	t.Helper()
	text, err := p.lines.ReadBytes('\n')
	require.NoError(t, err, "%s", text)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var message map[string]any
	require.NoError(t, decoder.Decode(&message), "%s", text)

	want := l.Reply
	if l.Event != nil {
		want = l.Event
	}
	if _, more := want["..."]; !more {
		names := slices.DeleteFunc(slices.Collect(maps.Keys(message)), func(name string) bool {
			return name == "message" && want["message"] == nil
		})
		require.ElementsMatch(t, slices.Collect(maps.Keys(want)), names, "%s", text)
	}
	for name, value := range want {
		if name != "..." {
			c.match(t, value, message[name], string(text))
		}
	}
}

func (c *talk) match(t *testing.T, want, found any, message string) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		object, ok := found.(map[string]any)
		require.True(t, ok, message)
		require.Len(t, object, len(w), message)
		for name, value := range w {
			c.match(t, value, object[name], message)
		}
		return
	case json.Number:
		n, ok := found.(json.Number)
		require.True(t, ok, message)
		a, err := w.Float64()
		require.NoError(t, err)
		b, err := n.Float64()
		require.NoError(t, err)
		require.InDelta(t, a, b, 0, message)
		return
	case string:
		if !strings.HasPrefix(w, "$") {
			break
		}
		require.NotNil(t, found, message)
		if bound, ok := c.variables[w]; ok && w != "$_" {
			require.Equal(t, bound, found, message)
		}
		c.variables[w] = found
		return
	}
	require.Equal(t, want, found, message)
}
