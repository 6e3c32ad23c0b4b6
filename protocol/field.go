package protocol

import (
	"bytes"
	"math"
	"strconv"
	"time"
)

// text takes what was said in the field before, if it is said again. Only what had no escapes is kept for that, which all
// are longer than what they stand for: one that looks like it is the same.
func (p *Parser) text(f field, val value, most int, to *string) *Error {
	if val.kind == kindString && string(val.raw) == p.said[f] {
		*to = p.said[f]
		return nil
	}
	if wrong := text(f, val, most, to); wrong != nil {
		return wrong
	}
	if len(*to) == len(val.raw) {
		p.said[f] = *to
	}
	return nil
}

func text(f field, val value, most int, to *string) *Error {
	if val.kind != kindString {
		return bad(f.name(), "is a string")
	}
	decoded, ok := unquote(val.raw)
	if !ok {
		return bad(f.name(), "is not valid Unicode")
	}
	if len(decoded) > most {
		return bad(f.name(), "has at most "+strconv.Itoa(most)+" bytes")
	}
	*to = decoded
	return nil
}

// operation takes the op without keeping a copy of a known one's text.
func operation(f field, val value, to *Op) *Error {
	if val.kind == kindString {
		for _, known := range [...]Op{OpBeat, OpCheck, OpStep, OpMark, OpClear, OpHello, OpStatus, OpSwitch, OpReleaseBrake} {
			if string(val.raw) == string(known) {
				*to = known
				return nil
			}
		}
	}
	return text(f, val, MaxText, (*string)(to))
}

// echo takes the id as it stood in the line. It is held to be an identifier like any other.
func echo(f field, val value, to *[]byte) *Error {
	if wrong := isIdentifier(f, val); wrong != nil {
		return wrong
	}
	if !isPlain(val.raw) || len(val.raw) > MaxID {
		var decoded string
		if wrong := text(f, value{kind: kindString, raw: val.raw}, MaxID, &decoded); wrong != nil {
			return wrong
		}
	}
	*to = val.json
	return nil
}

// identifier takes an integer literal as its text, or a string. Both of one text name the same thing.
func (p *Parser) identifier(f field, val value, to *string) *Error {
	if wrong := isIdentifier(f, val); wrong != nil {
		return wrong
	}
	return p.text(f, value{kind: kindString, raw: val.raw}, MaxID, to)
}

func isIdentifier(f field, val value) *Error {
	switch {
	case val.kind == kindNumber && bytes.ContainsAny(val.raw, ".eE"), val.kind != kindNumber && val.kind != kindString:
		return bad(f.name(), "is an integer or a string")
	case len(val.raw) == 0:
		return bad(f.name(), "is not empty")
	}
	return nil
}

func token(f field, val value, to *uint64) *Error {
	const rule = "is an integer from 1 to 9007199254740991"
	if val.kind != kindNumber {
		return bad(f.name(), rule)
	}
	n, err := strconv.ParseUint(string(val.raw), 10, 64)
	if err != nil || n == 0 || n > MaxToken {
		return bad(f.name(), rule)
	}
	*to = n
	return nil
}

func integer(f field, val value, to *int) *Error {
	n, err := strconv.Atoi(string(val.raw))
	if val.kind != kindNumber || err != nil {
		return bad(f.name(), "is an integer")
	}
	*to = n
	return nil
}

func boolean(f field, val value, to *bool) *Error {
	if val.kind != kindBool {
		return bad(f.name(), "is true or false")
	}
	*to = val.raw[0] == 't'
	return nil
}

// maxSeconds bounds every span: thirty years, far from the overflow of a Duration.
const maxSeconds = 1e9

// seconds takes in a span, to the nanosecond below some thirteen days. One that is not zero never becomes
// zero: that would mean that the line had none.
func seconds(f field, val value, zero bool, to *time.Duration) *Error {
	rule := "is a number of seconds, more than 0 and at most 1e9"
	if zero {
		rule = "is a number of seconds from 0 to 1e9"
	}
	if val.kind != kindNumber {
		return bad(f.name(), rule)
	}
	n, err := strconv.ParseFloat(string(val.raw), 64)
	if err != nil || n < 0 || n > maxSeconds || n == 0 && !zero {
		return bad(f.name(), rule)
	}
	*to = time.Duration(math.Round(n * float64(time.Second)))
	if n > 0 {
		*to = max(*to, 1)
	}
	return nil
}
