package client

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

// Roles of a Job.
const (
	Finalizer = "finalizer" // finalizes the job after its run finished; the default
	Worker    = "worker"    // runs the job's agent
)

// Job says what is marked. ID and Run are required; ID, Run and Key have at most 128 bytes of valid UTF-8, the
// other texts are for people and cut at 256.
type Job struct {
	ID  string // as in the database
	Run string // the execution that is finalized
	// Key names this one finalization. Two marks of one run with the same key are the same owner, revoked together and
	// cleared with the last of them; with different keys they are rivals. Default: a random one for each Mark.
	Key   string
	Task  string
	Stage string
	Role  string // Finalizer or Worker; default Finalizer
}

// same reports whether a mark of the other is a mark of the same owner.
func (j Job) same(other Job) bool {
	return j.ID == other.ID && j.Run == other.Run && j.Key == other.Key && (j.Role == Worker) == (other.Role == Worker)
}

// tidy returns the job with its key chosen and its texts cut.
func (j Job) tidy() Job {
	if j.Key == "" {
		j.Key = rand.Text()
	}
	j.Task, j.Stage = clean(j.Task), clean(j.Stage)
	return j
}

// unfit says why no request can name the job. Invalid UTF-8 would be replaced on the way, and two ids could
// become one.
func (j Job) unfit() error {
	for _, f := range []struct{ name, text string }{{"job", j.ID}, {"run", j.Run}, {"key", j.Key}} {
		switch {
		case f.text == "":
			return fmt.Errorf("%s is empty", f.name)
		case len(f.text) > protocol.MaxID:
			return fmt.Errorf("%s has more than %d bytes", f.name, protocol.MaxID)
		case !utf8.ValidString(f.text):
			return fmt.Errorf("%s is not valid Unicode", f.name)
		}
	}
	r := j.mark(protocol.MaxToken)
	r.ID = strconv.AppendUint(nil, math.MaxUint64, 10)
	if len(r.Append(nil)) > protocol.MaxLine {
		return errors.New("its texts do not fit into one request")
	}
	return nil
}

// mark is the request for the job; token is 0 unless an ownership is resumed.
func (j Job) mark(token uint64) protocol.Request {
	return protocol.Request{Op: protocol.OpMark, Job: j.ID, Run: j.Run, Key: j.Key, Task: j.Task, Stage: j.Stage,
		Role: j.Role, Token: token}
}

// clean cuts a text for people to what the protocol takes.
func clean(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), protocol.MaxText)], "")
}
