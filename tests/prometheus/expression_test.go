package prometheus

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// expression is what one rule or panel asks, and where it stands.
type expression struct {
	where string
	text  string
}

// node is a part of an expression as Prometheus' own parser sees it.
type node struct {
	Type     string
	Name     string
	Matchers []struct{ Name, Type, Value string }
	Grouping []string
	Matching *struct{ Labels, Include []string }
	Func     struct{ Name string }
	Op       string
	Val      string
	Expr     *node
	LHS      *node
	RHS      *node
	Args     []*node
}

// parse has Prometheus parse an expression.
func (s *server) parse(t testing.TB, expr string) *node {
	t.Helper()
	var answer struct{ Data *node }
	require.NoError(t, s.get(t, &answer, "/api/v1/parse_query", "query", expr), expr)
	return answer.Data
}

// walk calls visit for a node and all below it.
func (n *node) walk(visit func(*node)) {
	if n == nil {
		return
	}
	visit(n)
	for _, below := range append([]*node{n.Expr, n.LHS, n.RHS}, n.Args...) {
		below.walk(visit)
	}
}

// selectors are the parts that read series.
func (n *node) selectors() []*node {
	var found []*node
	n.walk(func(n *node) {
		if n.Type == "vectorSelector" || n.Type == "matrixSelector" {
			found = append(found, n)
		}
	})
	return found
}

// text is a selector as an expression of its own.
func (n *node) text() string {
	matchers := make([]string, 0, len(n.Matchers))
	for _, m := range n.Matchers {
		matchers = append(matchers, fmt.Sprintf("%s%s%q", m.Name, m.Type, m.Value))
	}
	return "{" + strings.Join(matchers, ",") + "}"
}

// filters reports whether an expression may have no result because all is well: comparisons and set operations leave
// out what does not hold.
func (n *node) filters() bool {
	switch n.Type {
	case "parenExpr":
		return n.Expr.filters()
	case "call":
		return n.Func.Name == "absent"
	}
	return slices.Contains([]string{"==", "!=", ">", "<", ">=", "<=", "and", "unless"}, n.Op)
}

// labels are the labels of a series, with the values that each can have; nil for any.
type labels map[string][]string

// ofTarget are the labels that Prometheus gives a target.
func ofTarget() labels { return labels{"job": nil, "instance": nil, "namespace": nil, "pod": nil} }

// catalogue is every series that an expression may ask for: what the watchdog has, by the list that its own tests
// hold, and what Prometheus and the rules make.
func catalogue(t testing.TB) map[string]labels {
	t.Helper()
	known := make(map[string]labels)
	add := func(name string, more labels) {
		if known[name] == nil {
			known[name] = ofTarget()
		}
		for label, values := range more {
			known[name][label] = append(known[name][label], values...)
		}
	}
	list, err := os.ReadFile("../../metrics/testdata/series.txt")
	require.NoError(t, err)
	for line := range strings.Lines(string(list)) {
		found := regexp.MustCompile(`^(\w+)\{(.*)\} (\w+)\n$`).FindStringSubmatch(line)
		require.NotNil(t, found, line)
		of := labels{}
		for pair := range strings.SplitSeq(found[2], ",") {
			if name, value, ok := strings.Cut(pair, "="); ok {
				of[name] = []string{value}
			}
		}
		add(found[1], of)
		if found[3] == "histogram" {
			add(found[1]+"_count", of)
			add(found[1]+"_bucket", of)
			add(found[1]+"_bucket", labels{"le": nil})
		}
	}
	for _, name := range []string{"up", "process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"} {
		add(name, nil)
	}
	add("ALERTS", labels{"alertname": slices.Collect(maps.Keys(readRules(t).alerts())), "alertstate": {"pending", "firing"}, "severity": nil})
	for _, r := range readRules(t).all() {
		if r.Record != "" {
			add(r.Record, labels{"stage": nil})
		}
	}
	return known
}

// faults says which names and labels of an expression are none of the catalogue's.
func (n *node) faults(known map[string]labels) []string {
	var faults []string
	beneath := ofTarget()
	for _, s := range n.selectors() {
		of, ok := known[s.Name]
		if !ok {
			faults = append(faults, "no series "+s.Name)
			continue
		}
		maps.Copy(beneath, of)
		for _, m := range s.Matchers {
			values, ok := of[m.Name]
			switch {
			case m.Name == "__name__":
			case !ok:
				faults = append(faults, fmt.Sprintf("%s has no label %s", s.Name, m.Name))
			case values != nil && !anyMatches(m.Type, m.Value, values):
				faults = append(faults, fmt.Sprintf("%s has no %s%s%q", s.Name, m.Name, m.Type, m.Value))
			}
		}
	}
	n.walk(func(n *node) {
		used := n.Grouping
		if n.Matching != nil {
			used = slices.Concat(used, n.Matching.Labels, n.Matching.Include)
		}
		for _, label := range used {
			if _, ok := beneath[label]; !ok {
				faults = append(faults, "nothing has the label "+label)
			}
		}
	})
	return faults
}

// anyMatches reports whether each alternative that a matcher names is among the values.
func anyMatches(kind, value string, values []string) bool {
	if kind == "=~" && strings.ContainsAny(value, "*+.") {
		return slices.ContainsFunc(values, regexp.MustCompile("^(?:"+value+")$").MatchString)
	}
	for alternative := range strings.SplitSeq(value, "|") {
		if !slices.Contains(values, alternative) {
			return false
		}
	}
	return true
}
