package liveness

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// TestOldestMarkOfEachStage follows jobs from stage to stage: what their rows say counts, and where they say
// nothing what the client said.
func TestOldestMarkOfEachStage(t *testing.T) {
	w := newWorld(t)
	p := w.connect(1000)
	oldest := func() map[string]time.Duration { return w.Count(w.at).Oldest }
	assert.Empty(t, oldest())

	first := w.at
	p.mark("a", "1", "")
	w.pass(time.Second, p)
	second := w.at
	reply, _ := p.ask(protocol.Request{Job: "b", Run: "1", Stage: "deploy-staging"})
	require.Nil(t, reply.Err)
	w.pass(time.Second, p)
	third := w.at
	p.mark("c", "1", "")
	_, _ = p.ask(protocol.Request{Job: "w", Run: "1", Role: "worker"})
	assert.Equal(t, map[string]time.Duration{"": first, "deploy-staging": second}, oldest())

	w.look("a", "1") // its row is in the guarded stage
	assert.Equal(t, map[string]time.Duration{"": third, "deploy-staging": first}, oldest())
	moved := w.row("b", "1")
	moved.Stage = "review"
	w.Look(w.instant(), []watchdog.Job{moved})
	assert.Equal(t, map[string]time.Duration{"": second, "deploy-staging": first}, oldest())

	w.Died(p.Session, w.at)
	assert.Len(t, oldest(), 2, "until it is recovered, a dead one is owned")
	require.Empty(t, w.Revoke(w.at, []watchdog.Judged{w.judged("a", "1")}))
	assert.Equal(t, map[string]time.Duration{"": second}, oldest())
}

// TestToLearnTheStagesOfManyIsCheap is about marks that tell no stage, as rows tell it: in no order at all, and under the
// lock that everybody needs.
func TestToLearnTheStagesOfManyIsCheap(t *testing.T) {
	const many = 10_000
	o := newOrder([]string{"deploy-staging"})
	compared := 0
	for _, line := range o {
		by := line.by
		line.by = func(own *ownership) time.Duration { compared++; return by(own) }
	}
	all := make([]*ownership, many)
	for i := range all {
		all[i] = &ownership{markedAt: time.Duration(i)}
		o.add(all[i])
	}
	for n, i := range rand.Perm(many) {
		o.remove(all[i])
		all[i].stage = "deploy-staging"
		o.add(all[i])
		if n == many/2 {
			assert.Len(t, o.oldest(), 2)
		}
	}
	assert.Equal(t, map[string]time.Duration{"deploy-staging": 0}, o.oldest())
	assert.Less(t, compared/many, 200, "for each of them")
}
