package prometheus

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

const (
	job   = 1914
	stage = "deploy-staging"

	pastGrace   = 10 * time.Minute
	pastCeiling = 3 * time.Hour
)

// TestJourney scrapes a watchdog through the incident and a stall. An alert goes the whole way, and what every rule
// and panel asks is answered.
func TestJourney(t *testing.T) {
	t.Parallel()
	w := newWorld(t, program.Settings{"HEARTBEAT_LEASE": "1s"})
	program.Eventually(t, "the watchdog is scraped", func() bool { return len(w.prometheus.query(t, "reaper_passes_total")) == 1 })
	w.scraped(t, "histogram_count(reaper_pass_duration_seconds) > 0") // native, and beside it classic
	w.scraped(t, "reaper_pass_duration_seconds_bucket > 0")
	w.manyEnded(t)
	w.incident(t)
	w.stall(t)
	compareThresholds(t, w.prometheus)
}

// manyEnded makes a usual length of a finalization.
func (w *world) manyEnded(t *testing.T) {
	t.Helper()
	p := program.Connect(t, w.Socket)
	w.db.Finished(t, 1, stage)
	for range 25 {
		reply := p.Ask(t, fmt.Sprintf(`{"op":"mark","job":1,"run":%d,"stage":%q}`, program.FirstRun(1), stage))
		require.True(t, reply.OK, "%+v", reply)
		require.True(t, p.Ask(t, fmt.Sprintf(`{"op":"clear","job":1,"token":%d}`, reply.Token)).OK)
	}
	w.db.Exec(t, "UPDATE jobs SET status = 'done' WHERE id = 1")
}

// incident has the reaper defer to a finalizer that lives, recover the job of one that dies, and take a job away at
// the ceiling from one that turns out to live.
func (w *world) incident(t *testing.T) {
	t.Helper()
	alive := w.finalizer(t, job)
	w.db.Age(t, job, pastGrace)
	w.scraped(t, `finalizer_defers_total{reason="connected"} > 0`)
	alive.Signal(t, syscall.SIGKILL)
	w.scraped(t, `reaper_reaped_total{reason="owner-died"} > 0`)

	w.db.Finished(t, job+1, stage)
	late := program.Connect(t, w.Socket)
	token := late.Ask(t, fmt.Sprintf(`{"op":"mark","job":%d,"run":%d}`, job+1, program.FirstRun(job+1))).Token
	w.db.Age(t, job+1, pastCeiling)
	require.Equal(t, "backstop", late.Hear(t).Reason)
	require.Equal(t, "revoked", late.Ask(t, fmt.Sprintf(`{"op":"check","job":%d,"token":%d}`, job+1, token)).Error)

	page := w.hook.wait(t, "ReaperFalseReap", "firing")
	assert.Equal(t, "page", page.receiver)
	assert.Equal(t, "3", page.Labels["tier"])
	program.Eventually(t, "ReaperBackstop fires and is inhibited", func() bool {
		var alerts []struct {
			Labels map[string]string
			Status struct{ State string }
		}
		require.NoError(t, w.alertmanager.get(t, &alerts, "/api/v2/alerts"))
		for _, a := range alerts {
			if a.Labels["alertname"] == "ReaperBackstop" {
				return a.Status.State == "suppressed"
			}
		}
		return false
	})
}

// stall stops a finalizer, follows the alert to the webhook, and lets it go on.
func (w *world) stall(t *testing.T) {
	t.Helper()
	silent := w.finalizer(t, job+2)
	stopped := time.Now()
	silent.Signal(t, syscall.SIGSTOP)
	ticket := w.hook.wait(t, "FinalizerStalled", "firing")
	assert.Equal(t, "ticket", ticket.receiver)
	assert.Contains(t, ticket.Annotations["description"], "1 of the owned jobs ")

	since := func(at time.Time) string { return fmt.Sprintf("%6.2f s", at.Sub(stopped).Seconds()) }
	t.Logf("%s  the finalizer was stopped", since(stopped))
	t.Logf("%s  first scraped as stalled, after a lease of a second", since(w.first(t, "finalizer_stalled", 1)))
	t.Logf("%s  pending", since(w.first(t, `ALERTS{alertname="FinalizerStalled",alertstate="pending"}`, 1)))
	t.Logf("%s  firing, after a second for the ten minutes", since(w.first(t, `ALERTS{alertname="FinalizerStalled",alertstate="firing"}`, 1)))
	t.Logf("%s  the webhook hears of it from Alertmanager", since(ticket.heard))

	w.everyExpression(t)

	silent.Signal(t, syscall.SIGCONT)
	resumed := time.Now()
	resolved := w.hook.wait(t, "FinalizerStalled", "resolved")
	t.Logf("%s  after it was let go on the webhook hears that this is over", resolved.heard.Sub(resumed).Round(10*time.Millisecond))
}

// finalizer starts one of a job that has just finished, as a process that beats by itself.
func (w *world) finalizer(t *testing.T, id int64) *program.Process {
	t.Helper()
	w.db.Finished(t, id, stage)
	cmd := exec.Command(program.Binary(t), "hold", "--job", fmt.Sprint(id), "--run", fmt.Sprint(program.FirstRun(id)), "--", "sleep", "300")
	cmd.Env = []string{"WATCHDOG_SOCKET=" + w.Socket, "PATH=/bin:/usr/bin"}
	before := w.Metric(t, "finalizer_owned")
	p := program.Start(t, cmd)
	program.Eventually(t, "it owns its job", func() bool { return w.Metric(t, "finalizer_owned") == before+1 })
	return p
}

// scraped waits until Prometheus knows of something.
func (w *world) scraped(t *testing.T, expr string) {
	t.Helper()
	program.Eventually(t, expr, func() bool { return len(w.prometheus.query(t, expr)) > 0 })
}

// first is the timestamp of the first sample of a series with a value.
func (w *world) first(t *testing.T, selector string, value float64) time.Time {
	t.Helper()
	var answer struct {
		Data struct {
			Result []struct{ Values [][2]any }
		}
	}
	require.NoError(t, w.prometheus.get(t, &answer, "/api/v1/query", "query", selector+"[5m]"))
	require.Len(t, answer.Data.Result, 1, selector)
	for _, v := range answer.Data.Result[0].Values {
		if v[1] == fmt.Sprint(value) {
			return time.UnixMicro(int64(v[0].(float64) * 1e6))
		}
	}
	require.FailNow(t, "never", "%s was never %g", selector, value)
	return time.Time{}
}

// everyExpression has Prometheus evaluate what every rule, panel, annotation and variable asks. Each names series and
// labels that there are, and is answered; of one that leaves out what is well, each part is.
func (w *world) everyExpression(t *testing.T) {
	t.Helper()
	known := catalogue(t)
	for _, r := range readRules(t).all() {
		w.answered(t, known, expression{r.Record + r.Alert, r.Expr})
	}
	d := readDashboard(t)
	for _, a := range d.Annotations.List {
		w.answered(t, known, expression{"annotation " + a.Name, filled(a.Expr)})
	}
	for _, v := range d.Templating.List[1:] {
		found := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(v.Definition)
		require.NotNil(t, found, v.Definition)
		require.Contains(t, known["watchdog_build_info"], found[2])
		w.answered(t, known, expression{"variable " + v.Name, filled(found[1])})
	}
	for _, p := range d.charts() {
		var counts []string
		for _, target := range p.Targets {
			answer := w.answered(t, known, expression{p.Title + " " + target.RefID, filled(target.Expr)})
			counts = append(counts, fmt.Sprint(len(answer)))
			for _, label := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				for _, series := range answer {
					assert.Contains(t, series.Metric, label[1], "the legend of %s", p.Title)
				}
			}
		}
		t.Logf("panel %-28s series: %s", p.Title, strings.Join(counts, ", "))
	}
}

func (w *world) answered(t *testing.T, known map[string]labels, e expression) []sample {
	t.Helper()
	parsed := w.prometheus.parse(t, e.text)
	assert.Empty(t, parsed.faults(known), "%s: %s", e.where, e.text)
	if !parsed.filters() {
		return w.some(t, e.where, e.text)
	}
	for _, selector := range parsed.selectors() {
		w.some(t, e.where, selector.text())
	}
	return w.prometheus.query(t, e.text)
}

// some waits until an expression has a result: on a busy machine a scrape may have come too late.
func (w *world) some(t *testing.T, where, expr string) (answer []sample) {
	t.Helper()
	program.Eventually(t, where+" is answered: "+expr, func() bool {
		answer = w.prometheus.query(t, expr)
		return len(answer) > 0
	})
	return answer
}
