package main

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
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
	for _, pair := range slices.Sorted(slices.Values(env)) {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, prefix) || slices.Contains(known, name) || putThereByOthers(env, name, value) {
			continue
		}
		r.fault(name, "no such setting%s", didYouMean(prefix, name, known))
	}
}

// putThereByOthers reports whether a variable under our prefix is systemd's, or one of those that Kubernetes derives
// from every service whose name begins with "watchdog". The values tell them from a misspelt setting.
func putThereByOthers(env []string, name, value string) bool {
	if name == "WATCHDOG_USEC" || name == "WATCHDOG_PID" {
		return isNumber(value)
	}
	return isService(env, name, value) || isServiceLink(name, value)
}

// isService reports whether it is a service's address or port, which come together.
func isService(env []string, name, value string) bool {
	parts := regexp.MustCompile(`^(WATCHDOG_(?:[A-Z0-9_]+_)?SERVICE)_(HOST|PORT(?:_[A-Z0-9_]+)?)$`).FindStringSubmatch(name)
	if parts == nil {
		return false
	}
	if parts[2] == "HOST" {
		return isIP(value) && isNumber(lookup(env, parts[1]+"_PORT"))
	}
	return isNumber(value) && isIP(lookup(env, parts[1]+"_HOST"))
}

// isServiceLink reports whether it is the like of WATCHDOG_PORT_9914_TCP=tcp://10.0.0.1:9914, or a part of one.
func isServiceLink(name, value string) bool {
	parts := regexp.MustCompile(`^WATCHDOG_(?:[A-Z0-9_]+?_)??PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)?$`).FindStringSubmatch(name)
	if parts == nil {
		return false
	}
	switch parts[1] {
	case "_PROTO":
		return slices.Contains([]string{"tcp", "udp", "sctp"}, value)
	case "_PORT":
		return isNumber(value)
	case "_ADDR":
		return isIP(value)
	}
	return regexp.MustCompile(`^(tcp|udp|sctp)://.+:[0-9]+$`).MatchString(value)
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 64)
	return err == nil
}

func isIP(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}
