package protocol

import (
	"strconv"
	"time"
)

// Op is what a request asks for.
type Op string

// The operations of version 1.
const (
	OpHello        Op = "hello"
	OpMark         Op = "mark"
	OpBeat         Op = "beat"
	OpStep         Op = "step"
	OpCheck        Op = "check"
	OpClear        Op = "clear"
	OpStatus       Op = "status"
	OpSwitch       Op = "switch"
	OpReleaseBrake Op = "release-brake"
)

// Request is one line of a client. Fields that the line did not have, or had as null, are zero.
type Request struct {
	Op Op
	ID []byte // JSON text, to be echoed; valid as long as the line

	Version int           // hello
	Name    string        // hello
	Lease   time.Duration // hello; 0: the setting

	Job   string
	Run   string // mark
	Key   string // mark
	Task  string // mark
	Stage string // mark
	Role  string // mark: finalizer (also when the line had none) or worker
	Token uint64 // 0: none

	Step   string
	Budget time.Duration // step; 0: none
	Hold   time.Duration // check; 0: the setting

	FinalizerLiveness bool // switch
}

// Parse reads one line, its newline taken off. On an error the request still has its ID, if that could be
// read, for the reply.
func Parse(line []byte) (Request, *Error) {
	r, err := new(Parser).Parse(line)
	return *r, err
}

// Parser is Parse for the lines of one peer. What one says in a field as it said it before takes no memory anew. It is
// for one goroutine.
type Parser struct {
	said [fields]string // last, without escapes

	// Of the line that is read:
	scanner
	request Request
	seen    set                 // fields that stood there, null or not
	had     set                 // fields with a value
	others  map[string]struct{} // keys that are no field
	wrong   *Error              // the first thing that was
}

// Parse is like the function. The request is good until the next.
func (p *Parser) Parse(line []byte) (*Request, *Error) {
	p.scanner, p.request, p.seen, p.had, p.others, p.wrong = scanner{line: line}, Request{}, 0, 0, nil, nil
	if len(line) > MaxLine {
		return &p.request, ErrTooLong()
	}
	if err := p.object(p.member); err != nil {
		p.request = Request{}
		return &p.request, &Error{Code: BadRequest, Message: err.Error(), Fatal: true}
	}
	if p.wrong != nil {
		return &p.request, p.wrong
	}
	return &p.request, p.complete()
}

func (p *Parser) member(key, val value) {
	wrong := p.take(key, val)
	if p.wrong == nil {
		p.wrong = wrong
	}
}

func (p *Parser) take(key, val value) *Error {
	name := key.raw
	if !isPlain(name) {
		text, ok := unquote(name)
		if !ok {
			return bad("", "a key is not valid Unicode")
		}
		name = []byte(text)
	}
	f := lookUp(name)
	if f == fieldOther {
		return p.ignore(string(name), val)
	}
	if p.seen.has(f) {
		return bad(f.name(), "stands there twice")
	}
	p.seen.add(f)
	if val.kind == kindNull {
		return nil
	}
	p.had.add(f)
	return p.set(f, val)
}

// ignore passes over what no field wants. Even that stands there once and is valid Unicode.
func (p *Parser) ignore(key string, val value) *Error {
	if _, twice := p.others[key]; twice {
		return bad(clip(key), "stands there twice")
	}
	if p.others == nil {
		p.others = make(map[string]struct{})
	}
	p.others[key] = struct{}{}
	if !validText(val) {
		return bad(clip(key), "is not valid Unicode")
	}
	return nil
}

func (p *Parser) set(f field, val value) *Error {
	r := &p.request
	switch f {
	case fieldOp:
		return operation(f, val, &r.Op)
	case fieldID:
		return echo(f, val, &r.ID)
	case fieldV:
		return integer(f, val, &r.Version)
	case fieldName:
		return p.text(f, val, MaxText, &r.Name)
	case fieldLease:
		return seconds(f, val, false, &r.Lease)
	case fieldJob:
		return p.identifier(f, val, &r.Job)
	case fieldRun:
		return p.identifier(f, val, &r.Run)
	case fieldKey:
		return p.text(f, val, MaxID, &r.Key)
	case fieldTask:
		return p.text(f, val, MaxText, &r.Task)
	case fieldStage:
		return p.text(f, val, MaxText, &r.Stage)
	case fieldRole:
		return p.text(f, val, MaxText, &r.Role)
	case fieldToken:
		return token(f, val, &r.Token)
	case fieldStep:
		return p.text(f, val, MaxText, &r.Step)
	case fieldBudget:
		return seconds(f, val, true, &r.Budget)
	case fieldHold:
		return seconds(f, val, false, &r.Hold)
	default:
		return boolean(f, val, &r.FinalizerLiveness)
	}
}

// complete checks that the operation is known and has what it needs.
func (p *Parser) complete() *Error {
	r := &p.request
	var need []field
	switch r.Op {
	case OpHello:
		if p.had.has(fieldV) && r.Version != Version {
			return &Error{Code: UnsupportedVersion, Message: "this watchdog speaks version 1"}
		}
		need = []field{fieldV}
	case OpMark:
		need = []field{fieldJob, fieldRun}
	case OpStep:
		need = []field{fieldJob, fieldToken, fieldStep}
	case OpCheck, OpClear:
		need = []field{fieldJob, fieldToken}
	case OpSwitch:
		need = []field{fieldLiveness}
	case OpBeat, OpStatus, OpReleaseBrake:
	default:
		if !p.had.has(fieldOp) {
			return bad(fieldOp.name(), "is missing")
		}
		return &Error{Code: UnknownOp, Message: "there is no op " + strconv.Quote(clip(string(r.Op)))}
	}
	for _, f := range need {
		if !p.had.has(f) {
			return bad(f.name(), "is missing")
		}
	}
	if r.Op == OpMark && r.Role == "" {
		r.Role = "finalizer"
	}
	if r.Op == OpMark && r.Role != "finalizer" && r.Role != "worker" {
		return bad(fieldRole.name(), `is "finalizer" or "worker"`)
	}
	return nil
}

// clip keeps what came from a peer short where it goes into a message.
func clip(text string) string { return text[:min(len(text), 32)] }
