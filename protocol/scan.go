package protocol

import "errors"

// kind is what a member's value is.
type kind byte

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindNested // an object or an array: no field of the protocol is one
)

// value is the text of one JSON value, as it stood in the line.
type value struct {
	kind kind
	raw  []byte // of a string, what stands between its quotes
	json []byte // the whole of it
}

var errSyntax = errors.New("the line is no JSON object")

// scanner walks over one line. It allocates nothing.
type scanner struct {
	line []byte
	at   int
}

// object calls member for each member of the line's object. Whether the line is one at all is known at its
// end only.
func (s *scanner) object(member func(key, val value)) error {
	s.space()
	err := s.members(member)
	s.space()
	if err != nil || s.at != len(s.line) {
		return errSyntax
	}
	return nil
}

func (s *scanner) members(each func(key, val value)) error {
	if !s.skip('{') {
		return errSyntax
	}
	s.space()
	if s.skip('}') {
		return nil
	}
	for {
		s.space()
		key, err := s.text()
		if err != nil {
			return err
		}
		s.space()
		if !s.skip(':') {
			return errSyntax
		}
		val, err := s.value()
		if err != nil {
			return err
		}
		each(key, val)
		s.space()
		if s.skip('}') {
			return nil
		}
		if !s.skip(',') {
			return errSyntax
		}
	}
}

func (s *scanner) array() error {
	s.at++
	s.space()
	if s.skip(']') {
		return nil
	}
	for {
		if _, err := s.value(); err != nil {
			return err
		}
		s.space()
		if s.skip(']') {
			return nil
		}
		if !s.skip(',') {
			return errSyntax
		}
	}
}

// value recurses once for each level of nesting, which the length of a line bounds.
func (s *scanner) value() (value, error) {
	s.space()
	start := s.at
	var k kind
	var err error
	switch s.peek() {
	case '"':
		return s.text()
	case '{':
		k, err = kindNested, s.members(func(value, value) {})
	case '[':
		k, err = kindNested, s.array()
	case 't':
		k, err = kindBool, s.word("true")
	case 'f':
		k, err = kindBool, s.word("false")
	case 'n':
		k, err = kindNull, s.word("null")
	default:
		k, err = kindNumber, s.number()
	}
	return value{k, s.line[start:s.at], s.line[start:s.at]}, err
}

func (s *scanner) text() (value, error) {
	start := s.at
	if !s.skip('"') {
		return value{}, errSyntax
	}
	for s.at < len(s.line) {
		switch c := s.line[s.at]; {
		case c == '"':
			s.at++
			return value{kindString, s.line[start+1 : s.at-1], s.line[start:s.at]}, nil
		case c < ' ':
			return value{}, errSyntax
		case c == '\\':
			if !s.escape() {
				return value{}, errSyntax
			}
		default:
			s.at++
		}
	}
	return value{}, errSyntax
}

func (s *scanner) escape() bool {
	s.at++
	c := s.peek()
	s.at++
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		_, ok := hex4(s.line[min(s.at, len(s.line)):])
		s.at += 4
		return ok
	}
	return false
}

func (s *scanner) number() error {
	s.skip('-')
	if !s.skip('0') && !s.digits() {
		return errSyntax
	}
	if s.skip('.') && !s.digits() {
		return errSyntax
	}
	if s.skip('e') || s.skip('E') {
		if !s.skip('+') {
			s.skip('-')
		}
		if !s.digits() {
			return errSyntax
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.at
	for s.peek() >= '0' && s.peek() <= '9' {
		s.at++
	}
	return s.at > start
}

func (s *scanner) word(w string) error {
	if len(s.line)-s.at < len(w) || string(s.line[s.at:s.at+len(w)]) != w {
		return errSyntax
	}
	s.at += len(w)
	return nil
}

func (s *scanner) space() {
	for s.at < len(s.line) {
		switch s.line[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// peek is the byte to come, or 0 at the end: no JSON begins with it.
func (s *scanner) peek() byte {
	if s.at < len(s.line) {
		return s.line[s.at]
	}
	return 0
}

func (s *scanner) skip(c byte) bool {
	if s.at < len(s.line) && s.line[s.at] == c {
		s.at++
		return true
	}
	return false
}
