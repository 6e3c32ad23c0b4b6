package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	watchdog "github.com/finalizer-watchdog/watchdog"
)

// retryPart is how soon a part for which there was no room is asked for again.
const retryPart = 50 * time.Millisecond

// newPart encodes a part of a page: its jobs one by one, and what stands before them where it is the first.
func newPart(c Config, page watchdog.Queue) answer {
	head := encode(headBody{Now: instant(page.Now.Rows), Queue: page.Counts, Reaper: newReaperBody(c, page.Status)})
	part := answer{
		status: http.StatusOK,
		body:   append(head[:len(head)-1], `,"jobs":[`...),
		count:  len(page.Jobs),
		next:   text(string(page.Next)),
	}
	for i, judged := range page.Jobs {
		if i > 0 {
			part.jobs = append(part.jobs, ',')
		}
		part.jobs = append(part.jobs, encode(newJobBody(page.Now, judged))...)
	}
	return part
}

// stream sends a page part by part and reads the next only when the one before has left, so that it never holds
// more than one. A page that cannot be read to its end is cut off, lest it be taken for whole.
func (q *queue) stream(w http.ResponseWriter, r *http.Request, asked query, part answer) {
	w.Header().Set("Content-Type", "application/json")
	out := &lines{to: w}
	out.write(part.body)
	out.write(part.jobs)
	for left := asked.limit - part.count; left > 0 && part.count == partLimit && part.next != nil; left -= part.count {
		if r.Method == http.MethodHead || out.err != nil {
			return
		}
		var err error
		if part, err = q.more(r.Context(), asked.part(watchdog.JobID(*part.next), left)); err != nil {
			panic(http.ErrAbortHandler)
		}
		if part.count > 0 {
			out.write([]byte{','})
		}
		out.write(part.jobs)
	}
	out.write(append(append([]byte(`],"next":`), encode(part.next)...), "}\n"...))
}

// more gives a part that is not the first. It waits for room: the page has begun.
func (q *queue) more(ctx context.Context, asked query) (answer, error) {
	for {
		part, err := q.shared.get(ctx, asked)
		switch {
		case errors.Is(err, errOverloaded):
		case err != nil:
			return answer{}, err
		case part.status != http.StatusOK:
			return answer{}, errors.New("the page could not be read to its end")
		default:
			return part, nil
		}
		select {
		case <-time.After(retryPart):
		case <-ctx.Done():
			return answer{}, context.Cause(ctx)
		}
	}
}

// lines writes to a client until it does not read.
type lines struct {
	to  http.ResponseWriter
	err error
}

func (l *lines) write(text []byte) {
	if l.err != nil {
		return
	}
	// Each part has as long as a whole answer; what is no connection has no deadline.
	_ = http.NewResponseController(l.to).SetWriteDeadline(time.Now().Add(writeTimeout))
	_, l.err = l.to.Write(text)
}
