package main

import (
	"regexp"
	"slices"
	"strings"
)

const prefix = "WATCHDOG_"

// refuseUnknown notes every variable under the prefix that is no setting: most likely a misspelt one, whose
// default would stand in silence. Its value is not shown, for it may be meant as the database's URL.
func (r *reader) refuseUnknown(env []string) {
	var known []string
	for _, s := range settings() {
		known = append(known, s.variable)
	}
	notOurs := putThereByOthers()
	for _, pair := range slices.Sorted(slices.Values(env)) {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, prefix) || slices.Contains(known, name) || notOurs.MatchString(name) {
			continue
		}
		r.fault(name, "no such setting%s", didYouMean(prefix, name, known))
	}
}

// putThereByOthers matches the variables under our prefix that are not meant for us: systemd's, and those that
// Kubernetes derives from every service whose name begins with "watchdog".
func putThereByOthers() *regexp.Regexp {
	return regexp.MustCompile(`^WATCHDOG_(` +
		`USEC|PID|` +
		`([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)` +
		`)$`)
}
