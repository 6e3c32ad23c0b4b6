package main

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fault is one thing that is wrong with one setting.
type fault struct {
	variable string
	value    string // as it may be shown; empty: none was given
	rule     string // what the value must be
}

func (f fault) String() string {
	if f.value == "" {
		return f.variable + ": " + f.rule
	}
	return f.variable + "=" + f.value + ": " + f.rule
}

// faults is all that is wrong with the settings, as an error. It holds no secret.
type faults []fault

func (fs faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// fault notes that the variable's value breaks a rule.
func (r *reader) fault(variable, rule string, args ...any) {
	f := fault{variable, r.shown(variable), printable(fmt.Sprintf(rule, args...))} // a rule may quote a part of the value
	if !slices.Contains(r.faults, f) {
		r.faults = append(r.faults, f)
	}
}

// require notes a fault of the variable unless ok, or unless its value is no value at all.
func (r *reader) require(ok bool, variable, rule string, args ...any) {
	if !ok && !r.unread[variable] {
		r.fault(variable, rule, args...)
	}
}

// shown is the variable's value for a message. Whatever might be a URL may hold a password, also where none
// belongs.
func (r *reader) shown(variable string) string {
	given := r.given[variable]
	info := infoOf(variable)
	switch {
	case given == "" && info.byDefault == "":
		return ""
	case given == "":
		return info.byDefault + " (the default)"
	case info.unit == "URL" || strings.Contains(given, "://"):
		return redact(given)
	}
	return strconv.Quote(given)
}

func infoOf(variable string) settingInfo {
	for _, s := range settings() {
		if s.variable == variable {
			return s
		}
	}
	return settingInfo{}
}

// result returns the settings if nothing is wrong with them.
func (r *reader) result() (Config, error) {
	if len(r.faults) > 0 {
		return Config{}, r.faults
	}
	return r.config, nil
}

// values shows the settings in force, by variable; those without a value are empty. No password is among
// them, so that they may be published.
func (c Config) values() map[string]string {
	shown := make(map[string]string)
	for _, s := range settings() {
		value := reflect.ValueOf(c).Field(s.field).Interface()
		if d, ok := value.(time.Duration); ok {
			value = shortDuration(d)
		}
		shown[s.variable] = fmt.Sprint(value)
	}
	return shown
}
