package main

import (
	"cmp"
	"errors"
	"reflect"
	"strconv"

	"github.com/kelseyhightower/envconfig"
)

// warmup is the setting whose default is another's value.
const warmup = "WATCHDOG_HEARTBEAT_WARMUP"

// settingInfo is one setting as the tags of its field tell it.
type settingInfo struct {
	variable  string
	byDefault string
	unset     string
	unit      string
	desc      string
	field     int // of Config
}

// settings lists the settings in the order of Config's fields.
func settings() []settingInfo {
	t := reflect.TypeFor[Config]()
	list := make([]settingInfo, t.NumField())
	for i := range list {
		tag := t.Field(i).Tag
		list[i] = settingInfo{
			variable:  tag.Get("envconfig"),
			byDefault: tag.Get("default"),
			unset:     tag.Get("unset"),
			unit:      tag.Get("unit"),
			desc:      tag.Get("desc"),
			field:     i,
		}
	}
	return list
}

// reader reads the settings and gathers all that is wrong with them.
type reader struct {
	config Config
	given  map[string]string // by variable; those that are unset or empty are missing
	faults faults
	unread map[string]bool // the variables without a usable value: no rule can speak of them
}

// readSettings decodes every setting of env and replaces those that only others can tell.
func readSettings(env []string) *reader {
	r := &reader{given: make(map[string]string), unread: make(map[string]bool)}
	for _, s := range settings() {
		if value := lookup(env, s.variable); value != "" {
			r.given[s.variable] = value
		}
		if err := s.decode(&r.config, r.given[s.variable]); err != nil {
			r.fault(s.variable, "%v", err)
			r.unread[s.variable] = true
		}
	}
	r.refuseUnknown(env)
	r.readURLFile()
	if r.given[directURL] == "" {
		r.config.DatabaseDirectURL = r.config.DatabaseURL
	}
	if r.given[warmup] == "" {
		r.config.HeartbeatWarmup = r.config.HeartbeatLease
	}
	return r
}

// decode sets the setting's field of c from the given text, or from the default where that is empty.
//
// envconfig would read this process's own environment, take an empty value for a set one, and stop at the
// first fault. So it is handed one field at a time, as a struct whose default is the value that counts, under
// a name that no environment can hold.
func (s settingInfo) decode(c *Config, given string) error {
	value := cmp.Or(given, s.byDefault)
	if value == "" {
		return nil
	}
	field := reflect.TypeFor[Config]().Field(s.field)
	field.Tag = reflect.StructTag("default:" + strconv.Quote(value))
	field.Index, field.Offset = nil, 0
	one := reflect.New(reflect.StructOf([]reflect.StructField{field}))

	err := envconfig.Process("=", one.Interface())
	if fault, ok := errors.AsType[*envconfig.ParseError](err); ok {
		return ruleError(s.unit, fault.Err)
	}
	if err != nil {
		return err
	}
	reflect.ValueOf(c).Elem().Field(s.field).Set(one.Elem().Field(0))
	return nil
}

// ruleError says what a value of the unit must be. Only the types of this package word their own errors; the
// others' would repeat the value.
func ruleError(unit string, err error) error {
	switch unit {
	case "duration":
		return errors.New("must be a duration as Go writes it, such as 90s or 2h")
	case "ratio":
		return errors.New("must be a number from 0 to 1")
	case "whole number":
		return errors.New("must be a whole number")
	case "true or false", "debug, info, warn or error":
		return errors.New("must be " + unit)
	}
	return err
}
