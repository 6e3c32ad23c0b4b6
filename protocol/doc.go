// Package protocol is the language of the watchdog's socket, version 1: newline-delimited JSON, one object
// a line. It parses and formats, and does no I/O.
//
// A line can be wrong in two ways. One that is no JSON object, or is too long, says that the peer does not
// speak the protocol at all: the stream cannot be trusted to be in step, so the connection ends after one
// error reply (Fatal). Anything else that is wrong concerns that request alone.
//
// The parser is our own because each request passes it and because encoding/json forgives what must not be
// forgiven here: a duplicate key, invalid UTF-8 replaced in silence (two ids could become one), a number
// whose text is lost. It is held against encoding/json by a fuzz test.
package protocol

// Version of the protocol.
const Version = 1

// Limits of the protocol, in bytes.
const (
	MaxLine = 4096 // a request, its newline not counted
	MaxID   = 128  // a job, a run, a key
	MaxText = 256  // a name, a task, a stage, a step
)

// MaxToken bounds the tokens: below it every integer survives a parser that knows only doubles.
const MaxToken = 1<<53 - 1
