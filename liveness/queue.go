package liveness

import (
	"container/heap"
	"time"
)

// queue is a heap of ownerships, the first by an instant of theirs on top: neither to name that one nor to put in or
// take out any other must cost a walk over all.
type queue struct {
	all   []*ownership
	by    func(*ownership) time.Duration
	place func(*ownership) *int // where an ownership keeps its place, plus one; 0: it is not in the queue
}

func (q *queue) add(o *ownership) { heap.Push(q, o) }

// remove takes the ownership out, if it is in.
func (q *queue) remove(o *ownership) {
	if place := *q.place(o); place != 0 {
		heap.Remove(q, place-1)
	}
}

// first is the one on top; nil when there is none.
func (q *queue) first() *ownership {
	if len(q.all) == 0 {
		return nil
	}
	return q.all[0]
}

// Len is heap.Interface's, as all below are.
func (q *queue) Len() int { return len(q.all) }

func (q *queue) Less(i, j int) bool { return q.by(q.all[i]) < q.by(q.all[j]) }

func (q *queue) Swap(i, j int) {
	q.all[i], q.all[j] = q.all[j], q.all[i]
	*q.place(q.all[i]), *q.place(q.all[j]) = i+1, j+1
}

func (q *queue) Push(x any) {
	o := x.(*ownership)
	q.all = append(q.all, o)
	*q.place(o) = len(q.all)
}

func (q *queue) Pop() any {
	last := len(q.all) - 1
	o := q.all[last]
	q.all[last] = nil
	q.all = q.all[:last]
	*q.place(o) = 0
	return o
}
