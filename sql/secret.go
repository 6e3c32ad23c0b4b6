package sql

import (
	"net/url"
	"strings"
	"unicode"
)

// plainURL reports whether nothing of a PostgreSQL URL's password can have become something else that is shown: a
// slash, a question mark or a hash sign in it ends the part of the URL that it belongs to.
func plainURL(u *url.URL) bool {
	if u.Opaque != "" || u.Fragment != "" || strings.Contains(u.EscapedPath(), "@") {
		return false
	}
	for name := range u.Query() {
		if strings.ContainsFunc(name, func(r rune) bool { return r != '_' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			return false
		}
	}
	return true
}

// secrets masks the password where a URL or a connection string has it. Nothing else that lib/pq or a server says is
// known to hold it, and to mask each occurrence of its text would tell whoever reads on which word it is: a password
// that is also the user's name, or a word. One that can be no word is masked everywhere all the same.
func secrets(u *url.URL, password string) *strings.Replacer {
	var pairs []string
	hide := func(text, mask string) { pairs = append(pairs, text, mask) }
	for _, secret := range []string{password, u.Query().Get("password"), u.Query().Get("sslpassword"), inAuthority(u)} {
		if secret == "" {
			continue
		}
		for _, spelled := range []string{secret, url.QueryEscape(secret), encoded(secret)} {
			hide(":"+spelled+"@", ":***@")
			hide("password="+spelled, "password=***")
			hide("password='"+spelled, "password='***")
			if distinct(spelled, u) {
				hide(spelled, "***")
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

func inAuthority(u *url.URL) string {
	password, _ := u.User.Password()
	return password
}

// encoded is a password as a URL has it before its host.
func encoded(password string) string {
	return strings.TrimPrefix(url.UserPassword("", password).String(), ":")
}

// distinct reports whether a text is a secret wherever it stands: it is long, no word, and part of nothing that is
// shown.
func distinct(secret string, u *url.URL) bool {
	const long = 6
	word := !strings.ContainsFunc(secret, func(r rune) bool { return !unicode.IsLetter(r) })
	shown := u.User.Username() + " " + u.Host + " " + u.Path
	return len(secret) >= long && !word && !strings.Contains(shown, secret)
}
