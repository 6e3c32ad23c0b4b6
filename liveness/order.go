package liveness

import (
	"container/list"
	"time"
)

// order has the finalizers' ownerships by stage, the oldest mark of each first: to name it must not cost a
// walk over all. A stage from outside the fixed list is "": a peer's word makes no entry.
type order map[string]*list.List

func newOrder(stages []string) order {
	o := order{"": list.New()}
	for _, stage := range stages {
		o[stage] = list.New()
	}
	return o
}

func (o order) line(stage string) *list.List {
	if line, ok := o[stage]; ok {
		return line
	}
	return o[""]
}

// add puts an ownership in its stage's line. Nearly always it is the youngest.
func (o order) add(own *ownership) {
	own.line = o.line(own.stage)
	before := own.line.Back()
	for before != nil && before.Value.(*ownership).markedAt > own.markedAt {
		before = before.Prev()
	}
	if before == nil {
		own.place = own.line.PushFront(own)
		return
	}
	own.place = own.line.InsertAfter(own, before)
}

func (o order) remove(own *ownership) { own.line.Remove(own.place) }

// oldest is when the oldest ownership of each stage was marked; a stage without any is left out.
func (o order) oldest() map[string]time.Duration {
	marked := make(map[string]time.Duration)
	for stage, line := range o {
		if first := line.Front(); first != nil {
			marked[stage] = first.Value.(*ownership).markedAt
		}
	}
	return marked
}
