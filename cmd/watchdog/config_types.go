package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The kinds of values that envconfig cannot decode by itself, or decodes too generously. An error of Decode
// says what the value must be, and does not repeat it.

// fileMode is the permissions of a file, given in octal.
type fileMode os.FileMode

func (m *fileMode) Decode(text string) error {
	bits, err := strconv.ParseUint(text, 8, 32)
	if err != nil || bits > 0o777 {
		return fmt.Errorf("must be an octal number from 0 to 0777")
	}
	*m = fileMode(bits)
	return nil
}

func (m fileMode) String() string { return fmt.Sprintf("%#04o", uint32(m)) }

// uidList is a list of numeric user ids, separated by commas.
type uidList []int

func (l *uidList) Decode(text string) error {
	for word := range strings.SplitSeq(text, ",") {
		id, err := strconv.ParseUint(strings.TrimSpace(word), 10, 32)
		if err != nil {
			return fmt.Errorf("must be numeric user ids separated by commas; %q is none", shownPart(word, text))
		}
		*l = append(*l, int(id))
	}
	return nil
}

func (l uidList) String() string {
	words := make([]string, len(l))
	for i, id := range l {
		words[i] = strconv.Itoa(id)
	}
	return strings.Join(words, ",")
}

var errStageURL = errors.New("must be about stages, separated by commas; this looks like a URL")

// stageList is a list of stages, separated by commas.
type stageList []string

func (l *stageList) Decode(text string) error {
	if strings.Contains(text, "://") { // it may hold a password, and the settings are shown
		return errStageURL
	}
	for word := range strings.SplitSeq(text, ",") {
		stage := strings.TrimSpace(word)
		if stage == "" {
			return fmt.Errorf("must be stages separated by commas; one is empty")
		}
		*l = append(*l, stage)
	}
	return nil
}

func (l stageList) String() string { return strings.Join(l, ",") }

// stageDurations maps stages to durations: stage=duration, separated by commas.
type stageDurations map[string]time.Duration

func (m *stageDurations) Decode(text string) error {
	if strings.Contains(text, "://") {
		return errStageURL
	}
	*m = make(stageDurations)
	for pair := range strings.SplitSeq(text, ",") {
		name, span, ok := strings.Cut(pair, "=")
		stage := strings.TrimSpace(name)
		d, err := time.ParseDuration(strings.TrimSpace(span))
		if !ok || stage == "" || err != nil {
			return fmt.Errorf("must be stage=duration pairs separated by commas, such as review=90s; %q is none", pair)
		}
		if _, twice := (*m)[stage]; twice {
			return fmt.Errorf("must name a stage once; %q is there twice", stage)
		}
		(*m)[stage] = d
	}
	return nil
}

func (m stageDurations) String() string {
	pairs := make([]string, 0, len(m))
	for stage, d := range m {
		pairs = append(pairs, stage+"="+shortDuration(d))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ",")
}

// shortDuration is d without the zero units that time.Duration prints: 2h, not 2h0m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
