package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const explainManual = `It asks /queue for the job, open or not, and tells what is known of it, which rule decides, and what would change
that and when. The verdict is what the reaper would decide now, by the same function; the answer may be a second old.
The exit status is 0 when the job was found, 1 when it was not or the watchdog cannot tell.

With a web configuration (WATCHDOG_WEB_CONFIG_FILE) that has TLS give --ca-file, or --url https://…; with one that has
basic auth, --user and --password-file.`

func runExplain(ctx context.Context, c *command) int {
	fs := c.flags()
	flags := c.pagesFlags(fs)
	if status, ok := c.parse(fs, 1, 1); !ok {
		return status
	}
	p, err := flags.open()
	if err != nil {
		return c.refuse("%v", err)
	}
	status, body, err := p.get(ctx, "queue", url.Values{"job": {fs.Arg(0)}})
	if err != nil {
		return c.fail(err)
	}
	if status == http.StatusUnauthorized && p.user != "" {
		return c.fail(errors.New("the watchdog does not take this user with this password"))
	}
	a, err := readAnswer(status, body)
	if err != nil {
		return c.fail(err)
	}
	explain(c.stdout, a)
	return exitOK
}

// readAnswer reads the answer about one job. Whatever does not tell about one is an error that says what to do.
func readAnswer(status int, body []byte) (queueAnswer, error) {
	if status == http.StatusUnauthorized {
		return queueAnswer{}, errors.New("the watchdog wants a user and a password: give --user and --password-file")
	}
	if strings.Contains(string(body), "HTTP request to an HTTPS server") { // as net/http answers to it
		return queueAnswer{}, errors.New("the watchdog speaks TLS: give --url https://…, or --ca-file with its authority")
	}
	var a queueAnswer
	if err := json.Unmarshal(body, &a); err != nil || status != http.StatusOK && a.Error == "" {
		return queueAnswer{}, fmt.Errorf("this is no watchdog's answer: status %d, %q; --url names another address",
			status, firstLine(body))
	}
	if a.Error != "" {
		return queueAnswer{}, errors.New(a.Message + refusalHint(a.Error))
	}
	if len(a.Jobs) != 1 {
		return queueAnswer{}, fmt.Errorf("the watchdog told of %s, not of one", plural(len(a.Jobs), "job"))
	}
	return a, nil
}

// refusalHint says what to do about an error of /queue.
func refusalHint(code string) string {
	switch code {
	case "no-such-job":
		return "; an id is compared as text with the database's own: 01914 is not 1914"
	case "unavailable":
		return "; the watchdog cannot read its database, and reaps nothing until it can: " +
			"watchdog status tells more, watchdog check tries the connection"
	case "overloaded":
		return "; ask again in a second"
	}
	return ""
}

func firstLine(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	return line[:min(len(line), 120)]
}
