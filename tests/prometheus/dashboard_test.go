package prometheus

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dashboard is what the tests look at of the dashboard.
type dashboard struct {
	UID           string
	ID            *int
	SchemaVersion int
	Panels        []panel
	Annotations   struct {
		List []struct{ Name, Expr string }
	}
	Templating struct {
		List []struct {
			Name       string
			Definition string
			AllValue   string
		}
	}
}

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	Datasource  struct{ UID string }
	GridPos     struct{ X, Y, W, H int }
	Links       []struct{ URL string }
	Targets     []struct{ RefID, Expr, LegendFormat string }
	FieldConfig struct {
		Defaults struct {
			Unit       string
			Thresholds struct {
				Steps []struct {
					Color string
					Value *float64
				}
			}
		}
	}
}

func readDashboard(t testing.TB) *dashboard {
	t.Helper()
	text, err := os.ReadFile(shipped(t, "grafana/finalizer-watchdog.json"))
	require.NoError(t, err)
	d := &dashboard{}
	require.NoError(t, json.Unmarshal(text, d))
	return d
}

// charts are the panels that ask for something: all but the rows.
func (d *dashboard) charts() []panel {
	var charts []panel
	for _, p := range d.Panels {
		if p.Type != "row" {
			charts = append(charts, p)
		}
	}
	return charts
}

// filled is an expression as Grafana sends it, with everything selected.
func filled(expr string) string {
	return strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h", "$job", ".*", "$namespace", ".*", "$instance", ".*").Replace(expr)
}

// runbooks are the alerts whose runbooks a panel leads to.
func (p *panel) runbooks() []string {
	var alerts []string
	for _, link := range p.Links {
		if _, name, ok := strings.Cut(link.URL, "/docs/runbooks/"); ok {
			alerts = append(alerts, strings.TrimSuffix(name, ".md"))
		}
	}
	return alerts
}

func TestDashboardsForm(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	assert.Equal(t, "finalizer-watchdog", d.UID)
	assert.Nil(t, d.ID, "Grafana gives it")
	assert.Equal(t, 42, d.SchemaVersion)
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
		if v.Definition != "" {
			assert.Equal(t, ".*", v.AllValue, "%s: a target may lack the label", v.Name)
		}
	}
	assert.Equal(t, []string{"datasource", "job", "namespace", "instance"}, variables)
	assert.Len(t, d.Annotations.List, 2)

	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		assert.False(t, ids[p.ID], "%s: its id is another's", p.Title)
		ids[p.ID] = true
		assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				require.Empty(t, taken[at], "%s lies over another panel", p.Title)
				taken[at] = p.Title
			}
		}
	}
	for _, p := range d.charts() {
		assert.NotEmpty(t, p.Description, p.Title)
		assert.NotEmpty(t, p.FieldConfig.Defaults.Unit, p.Title)
		assert.Equal(t, "$datasource", p.Datasource.UID, p.Title)
		for _, target := range p.Targets {
			if strings.Contains(target.Expr, "rate(") {
				assert.Contains(t, target.Expr, "[$__rate_interval]", p.Title)
			}
			if !strings.HasPrefix(target.Expr, "ALERTS{") {
				for _, variable := range []string{`job=~"$job"`, `namespace=~"$namespace"`} {
					assert.Contains(t, target.Expr, variable, p.Title)
				}
			}
		}
	}
}

// TestEveryAlertHasAPanel leads from the wall to each runbook, and to no other.
func TestEveryAlertHasAPanel(t *testing.T) {
	t.Parallel()
	alerts := readRules(t).alerts()
	linked := map[string]bool{}
	for _, p := range readDashboard(t).charts() {
		for _, name := range p.runbooks() {
			assert.Contains(t, alerts, name, p.Title)
			linked[name] = true
		}
	}
	for name := range alerts {
		assert.True(t, linked[name], "no panel leads to the runbook of %s", name)
	}
}

// color is what a panel shows a value in.
func (p *panel) color(value float64) string {
	color := ""
	for _, step := range p.FieldConfig.Defaults.Thresholds.Steps {
		if step.Value == nil || value >= *step.Value {
			color = step.Color
		}
	}
	return color
}

// TestProvisioning compares what Grafana is told about Prometheus with what Prometheus does.
func TestProvisioning(t *testing.T) {
	t.Parallel()
	var source struct {
		Datasources []struct {
			Type     string
			JSONData struct {
				TimeInterval string `yaml:"timeInterval"`
			} `yaml:"jsonData"`
		}
	}
	readYAML(t, shipped(t, "grafana/provisioning/datasources/prometheus.yml"), &source)
	var prometheus struct {
		Global struct {
			ScrapeInterval string `yaml:"scrape_interval"`
		}
	}
	readYAML(t, shipped(t, "prometheus/prometheus.yml"), &prometheus)
	require.Len(t, source.Datasources, 1)
	assert.Equal(t, "prometheus", source.Datasources[0].Type)
	assert.Equal(t, prometheus.Global.ScrapeInterval, source.Datasources[0].JSONData.TimeInterval, "$__rate_interval is made from it")

	var dashboards struct {
		Providers []struct {
			Type    string
			Options struct{ Path string }
		}
	}
	readYAML(t, shipped(t, "grafana/provisioning/dashboards/finalizer-watchdog.yml"), &dashboards)
	require.Len(t, dashboards.Providers, 1)
	assert.Equal(t, "file", dashboards.Providers[0].Type)
	assert.NotEmpty(t, dashboards.Providers[0].Options.Path)
}
