package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// pages is what the watchdog shows over HTTP.
type pages struct{ url string }

// judged is a job as /queue shows it.
type judged struct {
	FinishedAge float64 `json:"finished_age_s"`
	Owner       *struct {
		State string `json:"state"`
		Name  string `json:"name"`
		PID   int    `json:"pid"`
		Proof string `json:"proof"`
		Step  string `json:"step"`
	} `json:"owner"`
	Verdict struct {
		Action string `json:"action"`
		Tier   int    `json:"tier"`
		Reason string `json:"reason"`
	} `json:"verdict"`
}

// job asks /queue for one job. The watchdog gives equal questions within a second one answer.
func (p pages) job(ctx context.Context, id int64) (judged, error) {
	var body struct {
		Jobs []judged `json:"jobs"`
	}
	text, err := p.get(ctx, "/queue?job="+strconv.FormatInt(id, 10))
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err == nil && len(body.Jobs) != 1 {
		err = fmt.Errorf("it shows %d jobs", len(body.Jobs))
	}
	if err != nil {
		return judged{}, fmt.Errorf("read /queue: %w", err)
	}
	return body.Jobs[0], nil
}

// metric is the sum of the samples of that name whose labels include all the given ones, as name="value".
func (p pages) metric(ctx context.Context, name string, labels ...string) (float64, error) {
	text, err := p.get(ctx, "/metrics")
	if err == nil {
		var sum float64
		if sum, err = sumOf(text, name, labels); err == nil {
			return sum, nil
		}
	}
	return 0, fmt.Errorf("read /metrics: %w", err)
}

func sumOf(exposition []byte, name string, labels []string) (sum float64, err error) {
	found := false
	for lines := bufio.NewScanner(bytes.NewReader(exposition)); lines.Scan(); {
		series, value, _ := strings.Cut(lines.Text(), " ")
		if base, _, _ := strings.Cut(series, "{"); base != name || !containsAll(series, labels) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("%s is no number: %q", series, value)
		}
		found = true
		sum += v
	}
	if !found {
		return 0, fmt.Errorf("there is no %s", name)
	}
	return sum, nil
}

func containsAll(series string, labels []string) bool {
	for _, label := range labels {
		if !strings.Contains(series, label) {
			return false
		}
	}
	return true
}

func (p pages) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(response.Status)
	}
	return body, nil
}
