package prometheus

import (
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// limit is one comparison of an alert with a number, and the series that are compared.
type limit struct {
	op      string
	number  float64
	metrics []string
}

// limits finds the comparisons in an expression.
func (n *node) limits(t testing.TB, recorded map[string][]string) []limit {
	t.Helper()
	var found []limit
	n.walk(func(n *node) {
		if n.Type != "binaryExpr" || n.RHS.Type != "numberLiteral" || !slices.Contains([]string{"==", ">", "<"}, n.Op) {
			return
		}
		number, err := strconv.ParseFloat(n.RHS.Val, 64)
		require.NoError(t, err)
		l := limit{op: n.Op, number: number}
		for _, s := range n.LHS.selectors() {
			l.metrics = append(l.metrics, s.Name)
			l.metrics = append(l.metrics, recorded[s.Name]...)
		}
		found = append(found, l)
	})
	return found
}

// compareThresholds holds the colours of every panel that has some against the alerts that it leads to: a value at
// which an alert fires has the colour of its severity, and one at which it does not has none.
func compareThresholds(t *testing.T, s *server) {
	rules := readRules(t)
	recorded := map[string][]string{}
	for _, r := range rules.all() {
		if r.Record != "" {
			for _, selector := range s.parse(t, r.Expr).selectors() {
				recorded[r.Record] = append(recorded[r.Record], selector.Name)
			}
		}
	}
	compared := 0
	for _, p := range readDashboard(t).charts() {
		if len(p.FieldConfig.Defaults.Thresholds.Steps) < 2 {
			continue
		}
		matched := false
		for _, name := range p.runbooks() {
			alert := rules.alerts()[name]
			for _, l := range s.parse(t, alert.Expr).limits(t, recorded) {
				if asks(t, s, p, l) {
					p.compare(t, s, l, alert.Labels["severity"])
					matched = true
				}
			}
		}
		assert.True(t, matched, "the thresholds of %s are no alert's", p.Title)
		compared++
	}
	assert.Greater(t, compared, 10)
}

// asks reports whether a panel shows what is compared.
func asks(t *testing.T, s *server, p panel, l limit) bool {
	for _, target := range p.Targets {
		for _, selector := range s.parse(t, filled(target.Expr)).selectors() {
			if slices.Contains(l.metrics, selector.Name) {
				return true
			}
		}
	}
	return false
}

func (p *panel) compare(t *testing.T, s *server, l limit, severity string) {
	t.Helper()
	for _, own := range s.parse(t, filled(p.Targets[0].Expr)).limits(t, nil) {
		if own.op == l.op && own.number == l.number {
			l = limit{op: ">", number: 0} // it shows how many there are for which the alert's comparison holds
		}
	}
	fires, not := l.number+1, l.number-.01
	switch {
	case l.op == "==":
		fires, not = l.number, 1-l.number
	case l.op == ">" && l.number == 0:
		not = 0
	}
	assert.Equal(t, map[string]string{"critical": "red", "warning": "orange"}[severity], p.color(fires), "%s at %g", p.Title, fires)
	assert.Contains(t, []string{"green", "transparent"}, p.color(not), "%s at %g", p.Title, not)
}
