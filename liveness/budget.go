package liveness

import (
	"container/heap"
	"time"

	"github.com/finalizer-watchdog/watchdog"
)

// budgets is a heap of the ownerships whose step has a budget that runs, the first to end on top: counting
// those past it must not cost a walk over all.
type budgets []*ownership

func (b budgets) Len() int           { return len(b) }
func (b budgets) Less(i, j int) bool { return b[i].stepUntil < b[j].stepUntil }
func (b budgets) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].budget, b[j].budget = i+1, j+1
}

// Push is heap.Interface's.
func (b *budgets) Push(x any) {
	o := x.(*ownership)
	*b = append(*b, o)
	o.budget = len(*b)
}

// Pop is heap.Interface's.
func (b *budgets) Pop() any {
	old := *b
	o := old[len(old)-1]
	old[len(old)-1] = nil
	*b = old[:len(old)-1]
	o.budget = 0
	return o
}

func (r *Registry) setBudget(o *ownership, until time.Duration) {
	r.dropBudget(o)
	o.stepUntil = until
	if until != 0 && o.role == watchdog.Finalizer {
		heap.Push(&r.budgets, o)
	}
}

func (r *Registry) dropBudget(o *ownership) {
	if o.budget != 0 {
		heap.Remove(&r.budgets, o.budget-1)
	}
	if o.late {
		o.late = false
		o.session.late--
	}
	o.stepUntil = 0
}

// lapseBudgets counts those whose budget ended since it was last called.
func (r *Registry) lapseBudgets(at time.Duration) {
	for len(r.budgets) > 0 && at >= r.budgets[0].stepUntil {
		o := heap.Pop(&r.budgets).(*ownership)
		o.late = true
		o.session.late++
	}
}
