package liveness

import "time"

// rememberFor is how long a revocation is kept that nobody asks for again.
const rememberFor = 24 * time.Hour

// worth is what the memory of a job that nobody owns is worth, by who can bring such memories about.
type worth int

const (
	// cheap is what is known of a job that the database was not seen to hold open: whoever may mark makes as many
	// as it can think of ids.
	cheap worth = iota
	// earned is a reap, or the clear of a job that the database held open: of those there are no more than jobs.
	earned
	// binding is a hold that runs. The database confirmed the job, and a promise is not forgotten.
	binding
)

// remembered are the entries of jobs that nobody owns, by what they are worth, the longest remembered first. The
// lines of the cheap and of the earned are bounded, so that one does not push the other out.
type remembered [binding + 1]chain

func (m *remembered) drop(e *entry) {
	if e.remembered {
		m[e.worth].remove(e)
		e.remembered = false
	}
}

func (m *remembered) put(e *entry, w worth) {
	if e.remembered && e.worth == w {
		return
	}
	m.drop(e)
	m[w].add(e)
	e.remembered, e.worth = true, w
}

// chain is entries in the order in which they were added. What links them is in themselves: a job that is marked and
// cleared again and again takes no memory anew.
type chain struct {
	first, last *entry
	len         int
}

func (c *chain) add(e *entry) {
	if e.before = c.last; c.last == nil {
		c.first = e
	} else {
		c.last.after = e
	}
	c.last = e
	c.len++
}

func (c *chain) remove(e *entry) {
	if e.before == nil {
		c.first = e.after
	} else {
		e.before.after = e.after
	}
	if e.after == nil {
		c.last = e.before
	} else {
		e.after.before = e.before
	}
	e.before, e.after = nil, nil
	c.len--
}

// tidy forgets the entry if nothing in it matters any more, and otherwise sees to it that it will be
// forgotten. What is remembered without an owner is bounded in number too: a peer that marks and clears
// whatever job it can think of pushes the oldest of such out.
func (r *Registry) tidy(e *entry, at time.Duration) {
	switch {
	case e.slots[0] != nil || e.slots[1] != nil || len(e.reaping) > 0:
		r.memory.drop(e)
		return
	case !r.matters(e, at):
		r.forget(e)
		return
	}
	w := r.worth(e, at)
	r.memory.put(e, w)
	for line := &r.memory[w]; w != binding && line.len > r.cfg.Limits.Remembered; {
		r.forget(line.first)
	}
}

func (r *Registry) worth(e *entry, at time.Duration) worth {
	if at < e.heldUntil() {
		return binding
	}
	if e.cleared.known && at < e.cleared.at+r.cfg.Grace {
		return earned
	}
	for _, v := range e.revoked {
		if v.tier != 0 {
			return earned
		}
	}
	return cheap
}

func (r *Registry) matters(e *entry, at time.Duration) bool {
	if at < e.heldUntil() {
		return true
	}
	if e.cleared.at != 0 && at < e.cleared.at+r.cfg.Grace {
		return true
	}
	for _, v := range e.revoked {
		if at < v.at+rememberFor {
			return true
		}
	}
	return false
}

// lapse forgets what matters no more until the instant, and puts what is worth less by then where it belongs.
func (r *Registry) lapse(at time.Duration) {
	for w := range r.memory {
		line := &r.memory[w]
		for e := line.first; e != nil; e = line.first {
			if r.matters(e, at) && r.worth(e, at) == worth(w) {
				break
			}
			r.tidy(e, at)
		}
	}
}

func (r *Registry) forget(e *entry) {
	r.memory.drop(e)
	delete(r.jobs, e.job)
}
