package liveness

import "time"

// order has the finalizers' ownerships by stage, the oldest mark of each first. A stage from outside the fixed list is
// "": a peer's word makes no entry.
type order map[string]*queue

func newOrder(stages []string) order {
	o := order{"": newLine()}
	for _, stage := range stages {
		o[stage] = newLine()
	}
	return o
}

func newLine() *queue {
	return &queue{by: func(o *ownership) time.Duration { return o.markedAt }, place: func(o *ownership) *int { return &o.place }}
}

func (o order) line(stage string) *queue {
	if line, ok := o[stage]; ok {
		return line
	}
	return o[""]
}

func (o order) add(own *ownership) {
	own.line = o.line(own.stage)
	own.line.add(own)
}

func (o order) remove(own *ownership) { own.line.remove(own) }

// oldest is when the oldest ownership of each stage was marked; a stage without any is left out.
func (o order) oldest() map[string]time.Duration {
	marked := make(map[string]time.Duration)
	for stage, line := range o {
		if first := line.first(); first != nil {
			marked[stage] = first.markedAt
		}
	}
	return marked
}
