package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// pages is how a running watchdog's pages are reached.
type pages struct {
	base     *url.URL
	user     string
	password string
	client   *http.Client
}

// pagesFlags are the flags that say so.
type pagesFlags struct {
	listen                          string // WATCHDOG_LISTEN
	url, caFile, user, passwordFile string
}

// pagesFlags declares the flags for a running watchdog's pages on fs.
func (c *command) pagesFlags(fs *flag.FlagSet) *pagesFlags {
	f := &pagesFlags{listen: setting(c.env, "WATCHDOG_LISTEN")}
	fs.StringVar(&f.url, "url", "", "the `URL` of the watchdog's pages; without it: this machine's, by WATCHDOG_LISTEN")
	fs.StringVar(&f.caFile, "ca-file", "", "trust the certificates in `FILE`, and no others")
	fs.StringVar(&f.user, "user", "", "the `NAME` for basic auth")
	fs.StringVar(&f.passwordFile, "password-file", "", "the `FILE` that holds the password for basic auth")
	return f
}

// open checks the flags and reads the files that they name.
func (f *pagesFlags) open() (*pages, error) {
	if (f.user == "") != (f.passwordFile == "") {
		return nil, errors.New("--user and --password-file belong together")
	}
	base, err := f.base()
	if err != nil {
		return nil, err
	}
	p := &pages{base: base, user: f.user}
	if f.passwordFile != "" {
		content, err := os.ReadFile(f.passwordFile)
		if err != nil {
			return nil, fmt.Errorf("--password-file: %w", err)
		}
		p.password = strings.TrimRight(string(content), "\r\n")
	}
	trusted, err := certificates(f.caFile)
	if err != nil {
		return nil, err
	}
	p.client = &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, DisableKeepAlives: true},
		// The watchdog sends nobody elsewhere, and the password is for it alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p, nil
}

// certificates reads the file of those to trust; without one the system's are trusted.
func certificates(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("--ca-file: %s holds no certificate in PEM form", path)
	}
	return pool, nil
}

// base is where the pages are. What --url holds is not repeated: a password might be in it.
func (f *pagesFlags) base() (*url.URL, error) {
	if f.url == "" {
		return f.local()
	}
	u, err := url.Parse(f.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("--url must be http://HOST:PORT or https://HOST:PORT, and may have a path")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("--url must have no user, query or fragment; for a user there are --user and --password-file")
	}
	return u, nil
}

// local is where the pages of a watchdog with this WATCHDOG_LISTEN are for somebody on the same machine.
func (f *pagesFlags) local() (*url.URL, error) {
	host, port, err := net.SplitHostPort(f.listen)
	if err != nil || port == "" || port == "0" {
		return nil, fmt.Errorf("WATCHDOG_LISTEN=%q names no port: give --url", f.listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if f.caFile != "" {
		scheme = "https"
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}, nil
}

// get reads a page, whatever the status of the answer.
func (p *pages) get(ctx context.Context, path string, query url.Values) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*answerWithin, fmt.Errorf("no answer within %s", 2*answerWithin))
	defer cancel()
	at := p.base.JoinPath(path)
	at.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return 0, nil, fmt.Errorf("ask the watchdog: %w", err)
	}
	if p.user != "" {
		request.SetBasicAuth(p.user, p.password)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("ask the watchdog: %w%s", cmp.Or(context.Cause(ctx), err), pagesHint(err))
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("read the watchdog's answer: %w", cmp.Or(context.Cause(ctx), err))
	}
	return response.StatusCode, body, nil
}

// pagesHint says what to do about pages that cannot be reached.
func pagesHint(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "; name the authority of its certificate by --ca-file"
	}
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		return "; it speaks no TLS: give --url http://…"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "; is it running, with this WATCHDOG_LISTEN? (--url names another)"
	}
	return ""
}
