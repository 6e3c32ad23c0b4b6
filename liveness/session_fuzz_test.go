package liveness

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// FuzzSession sends bytes and hangs up. Each whole line until the end of the connection has one reply, each of
// them one line of JSON.
func FuzzSession(f *testing.F) {
	for _, sent := range []string{
		"", "\n", "[]\n", "GET / HTTP/1.1\r\n\r\n", beat, beat + "\n", beat + "\n" + beat + "\n", beat + "\n{", "{\"op\":\"be\x00at\"}\n",
		"{\"op\":\"\xff\"}\n", `{"op":"nonsense"}` + "\n" + `{"op":"mark"}` + "\n" + `{"op":"hello","v":99}` + "\n",
		`{"op":"mark","job":123456789012345678901234567890,"run":1}` + "\n", `{"op":"step","job":1,"token":1,"step":"s","budget_s":-1}` + "\n",
		marking("1914") + "\n" + checking("1914", 1) + "\n" + stepping("1914", 1) + "\n" + clearing("1914", 1) + "\n",
		`{"op":"hello","v":1,"lease_s":1,"id":"x"}` + "\n" + `{"op":"status"}` + "\n" + `{"op":"switch","finalizer_liveness":false}` + "\n",
		strings.Repeat("x", 1<<20), strings.Repeat("x", protocol.MaxLine) + "\n", strings.Repeat(" ", protocol.MaxLine+1) + beat + "\n",
		strings.Repeat(beat+"\n", 300), marking("1") + "\n" + `{"op":"mark","job":1,"run":2}` + "\n",
	} {
		f.Add([]byte(sent))
	}
	s := serve(f)
	f.Fuzz(func(t *testing.T, sent []byte) {
		conn, err := dialUnix(s.path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			_, _ = conn.Write(sent) // the server may hang up before it read all
			_ = conn.CloseWrite()
		}()
		if err := conn.SetReadDeadline(time.Now().Add(soon)); err != nil {
			t.Fatal(err)
		}
		replies, err := repliesOn(conn)
		if err != nil {
			t.Fatal(err)
		}
		if want := repliesTo(sent); replies != want {
			t.Fatalf("%d replies, should be %d", replies, want)
		}
		<-wrote
	})
}

// repliesOn counts the replies until the end of the connection.
func repliesOn(conn io.Reader) (int, error) {
	replies := 0
	for in := bufio.NewReader(conn); ; {
		line, err := in.ReadBytes('\n')
		if len(line) == 0 && hungUp(err) {
			return replies, nil
		}
		if err != nil {
			return 0, err
		}
		var m struct {
			OK    *bool
			Event string
		}
		if err := json.Unmarshal(line, &m); err != nil {
			return 0, err
		}
		switch {
		case m.OK != nil:
			replies++
		case m.Event == "":
			return 0, errors.New("neither a reply nor an event")
		}
	}
}

// repliesTo is how many replies there have to be: to a line that is fatal the last.
func repliesTo(sent []byte) int {
	replies := 0
	for line := range bytes.Lines(sent) {
		line, whole := bytes.CutSuffix(line, []byte("\n"))
		if !whole && len(line) <= protocol.MaxLine {
			break
		}
		replies++
		if _, err := protocol.Parse(line); err != nil && err.Fatal {
			break
		}
	}
	return replies
}
