package sql

import (
	"slices"
	"strings"
)

// plain rewrites a statement so that sqlx, which does not parse SQL, sees a colon only where a parameter
// begins: comments are gone, every other colon is doubled (sqlx's way to spell one), and a final semicolon is
// cut off. It returns the parameters' names in the order of their first use.
func plain(text string) (statement string, names []string) {
	var b strings.Builder
	for text != "" {
		n, kind := token(text)
		piece := text[:n]
		text = text[n:]
		switch kind {
		case comment:
			b.WriteByte(' ')
		case parameter:
			b.WriteString(piece + " ")
			if !slices.Contains(names, piece[1:]) {
				names = append(names, piece[1:])
			}
		default:
			b.WriteString(strings.ReplaceAll(piece, ":", "::"))
		}
	}
	statement = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(b.String()), ";"))
	return statement + "\n", names
}

type tokenKind int

const (
	other tokenKind = iota
	comment
	parameter
)

// token is the length and kind of what a statement begins with.
func token(s string) (int, tokenKind) {
	switch {
	case strings.HasPrefix(s, "--"):
		return through(s, 2, "\n"), comment
	case strings.HasPrefix(s, "/*"):
		return through(s, 2, "*/"), comment
	case strings.HasPrefix(s, "::"):
		return 2, other
	case s[0] == ':' && len(s) > 1 && letter(s[1]):
		return 1 + word(s[1:]), parameter
	case s[0] == '\'', s[0] == '"', s[0] == '`':
		return through(s, 1, s[:1]), other
	case len(s) > 1 && (s[0] == 'E' || s[0] == 'e') && s[1] == '\'':
		return escaped(s), other
	case s[0] == '$':
		return dollarQuoted(s), other
	case letter(s[0]):
		return word(s), other
	}
	return 1, other
}

// through is the length of s up to and with the end that follows its first n bytes; all of s without one.
func through(s string, n int, end string) int {
	if i := strings.Index(s[n:], end); i >= 0 {
		return n + i + len(end)
	}
	return len(s)
}

// escaped is the length of PostgreSQL's E'…', in which a backslash guards the next byte.
func escaped(s string) int {
	for i := 2; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '\'':
			return i + 1
		}
	}
	return len(s)
}

// dollarQuoted is the length of PostgreSQL's $tag$…$tag$; 1 where the dollar begins none.
func dollarQuoted(s string) int {
	tag := 1 + word(s[1:])
	if tag >= len(s) || s[tag] != '$' {
		return 1
	}
	return through(s, tag+1, s[:tag+1])
}

func word(s string) int {
	n := 0
	for n < len(s) && (letter(s[n]) || s[n] >= '0' && s[n] <= '9') {
		n++
	}
	return n
}

func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
