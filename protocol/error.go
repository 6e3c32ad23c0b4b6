package protocol

// Code is what an error reply says went wrong.
type Code string

// The codes of version 1.
const (
	BadRequest         Code = "bad-request" // with the field and a message
	TooLong            Code = "too-long"
	UnknownOp          Code = "unknown-op"
	UnsupportedVersion Code = "unsupported-version"
	Owned              Code = "owned"       // another finalizer has the job
	Revoked            Code = "revoked"     // the token is good no more, with the reason
	NotOwner           Code = "not-owner"   // the token is not this session's
	Forbidden          Code = "forbidden"   // not for this user
	Unavailable        Code = "unavailable" // not known now: the caller's policy decides
	Overloaded         Code = "overloaded"  // past a limit
)

// Error is a request that could not be granted.
type Error struct {
	Code    Code
	Field   string // of a bad request, when one field is to blame
	Message string // for a person
	Fatal   bool   // the connection ends after the reply
}

func (e *Error) Error() string {
	text := string(e.Code)
	if e.Field != "" {
		text += ": " + e.Field
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

func bad(field, message string) *Error {
	return &Error{Code: BadRequest, Field: field, Message: message}
}

// ErrTooLong answers a line that exceeds MaxLine.
func ErrTooLong() *Error {
	return &Error{Code: TooLong, Message: "a request has at most 4096 bytes", Fatal: true}
}
