package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// An answer is a response, or a part of one, that several requests may share; nobody changes it.
type answer struct {
	status int
	body   []byte // all of it, or what stands before the jobs
	jobs   []byte // separated by commas
	count  int
	next   *string // after which the next part begins; nil on the last
}

// queue answers /queue.
type queue struct {
	config Config
	shared *shared
}

func newQueue(c Config) *queue {
	q := &queue{config: c}
	q.shared = newShared(q.read)
	return q
}

func (q *queue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked, err := parseQuery(r.URL.RawQuery)
	if bad, ok := errors.AsType[badQuery](err); ok {
		respond(w, render(http.StatusBadRequest, refusalBody{"bad-request", &bad.field, bad.message}))
		return
	}
	got, err := q.shared.get(r.Context(), asked.part(asked.after, asked.limit))
	if err != nil {
		// Overloaded, or the client is gone and nobody reads this.
		got = render(http.StatusServiceUnavailable, refusalBody{"overloaded", nil, err.Error()})
	}
	if got.status == http.StatusOK {
		q.stream(w, r, asked, got)
		return
	}
	respond(w, got)
}

// read asks the database, for all who ask the same now.
func (q *queue) read(ctx context.Context, asked query) answer {
	ctx, cancel := context.WithTimeoutCause(ctx, q.config.Timeout, fmt.Errorf("the database did not answer within %s", q.config.Timeout))
	defer cancel()

	page, err := q.ask(ctx, asked)
	switch {
	case errors.Is(err, watchdog.ErrNoJob):
		return noJob(asked)
	case err != nil:
		return q.unavailable(err)
	}
	return newPart(q.config, page)
}

func (q *queue) ask(ctx context.Context, asked query) (watchdog.Queue, error) {
	if asked.job != "" {
		return q.config.Source.Job(ctx, asked.job)
	}
	return q.config.Source.Page(ctx, asked.after, asked.limit)
}

// noJob tells of an id that is no job's, and of one that can be none's: the page after that would look like the last.
func noJob(asked query) answer {
	if asked.job != "" {
		return render(http.StatusNotFound, refusalBody{"no-such-job", new("job"), fmt.Sprintf("job=%q: %v", asked.job, watchdog.ErrNoJob)})
	}
	return render(http.StatusBadRequest, refusalBody{"bad-request", new("after"),
		fmt.Sprintf("after=%q: must be a job's id; take it from next", asked.after)})
}

// unavailable tells what is known without the database.
func (q *queue) unavailable(err error) answer {
	status := q.config.Status()
	return render(http.StatusServiceUnavailable, unavailableBody{
		Error: "unavailable", Message: err.Error(),
		headBody: headBody{
			Now:    instant(time.Now()),
			Queue:  status.Counts,
			Reaper: newReaperBody(q.config, status),
		},
	})
}

func render(status int, body any) answer {
	return answer{status: status, body: append(encode(body), '\n')}
}

func encode(body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		// The bodies hold nothing that JSON cannot: this is a mistake in their types, which net/http logs.
		panic(fmt.Errorf("encode answer: %w", err))
	}
	return text
}

func respond(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", "application/json")
	if a.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}
