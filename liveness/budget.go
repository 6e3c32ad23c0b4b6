package liveness

import (
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// newBudgets returns a queue for the ownerships whose step has a budget that runs, the first to end on top.
func newBudgets() *queue {
	return &queue{by: func(o *ownership) time.Duration { return o.stepUntil }, place: func(o *ownership) *int { return &o.budget }}
}

func (r *Registry) setBudget(o *ownership, until time.Duration) {
	r.dropBudget(o)
	o.stepUntil = until
	if until != 0 && o.role == watchdog.Finalizer {
		r.budgets.add(o)
	}
}

func (r *Registry) dropBudget(o *ownership) {
	r.budgets.remove(o)
	if o.late {
		o.late = false
		o.session.late--
	}
	o.stepUntil = 0
}

// lapseBudgets counts those whose budget ended since it was last called.
func (r *Registry) lapseBudgets(at time.Duration) {
	for o := r.budgets.first(); o != nil && at >= o.stepUntil; o = r.budgets.first() {
		r.budgets.remove(o)
		o.late = true
		o.session.late++
	}
}
