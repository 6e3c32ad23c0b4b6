package protocol

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// isPlain reports text that stands for itself: ASCII without escapes.
func isPlain(raw []byte) bool {
	for _, c := range raw {
		if c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// unquote decodes what stood between a string's quotes. It is false for text that is not valid Unicode:
// invalid UTF-8, or half of a surrogate pair.
func unquote(raw []byte) (string, bool) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw), utf8.Valid(raw)
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		if raw[i] != 'u' {
			out = append(out, unescape(raw[i]))
			continue
		}
		r, n := codepoint(raw[i+1:])
		if n == 0 {
			return "", false
		}
		out = utf8.AppendRune(out, r)
		i += n
	}
	return string(out), utf8.Valid(out)
}

// validText reports whether a value that is not wanted is valid Unicode. In what it nests, escapes are left
// alone.
func validText(val value) bool {
	if val.kind != kindString {
		return utf8.Valid(val.raw)
	}
	_, ok := unquote(val.raw)
	return ok
}

// codepoint reads what follows a \u, a whole surrogate pair if it begins one, and says how many bytes it
// took; 0 when half of a pair is missing.
func codepoint(raw []byte) (rune, int) {
	r, _ := hex4(raw)
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(raw) < 10 || raw[4] != '\\' || raw[5] != 'u' {
		return 0, 0
	}
	low, _ := hex4(raw[6:])
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, 0
	}
	return r, 10
}

func unescape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

func hex4(raw []byte) (rune, bool) {
	if len(raw) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range raw[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
