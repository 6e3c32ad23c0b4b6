package liveness

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// TestADeadWorkersOwnershipEndsWithItsJob is about an agent whose process ends with its run, as most do, without a
// clear.
func TestADeadWorkersOwnershipEndsWithItsJob(t *testing.T) {
	w := newWorld(t)
	agent := w.connect(1000)
	reply, _ := agent.ask(protocol.Request{Job: "1914", Run: "2207", Role: "worker"})
	require.Nil(t, reply.Err)
	w.Died(agent.Session, w.at)
	require.Equal(t, []watchdog.JobID{"1914"}, w.Owned())
	w.Observe(w.instant(), w.Owned(), nil)
	assert.Empty(t, w.Owned())
	assert.Empty(t, w.tokens)
}

// TestADeadWorkerIsTakenAgainWhenItsFinalizerLetsGo is about a finalizer that marked before the run was over: until it
// clears, its worker's death alone is no reason to reap.
func TestADeadWorkerIsTakenAgainWhenItsFinalizerLetsGo(t *testing.T) {
	for name, end := range map[string]func(*world, *peer, uint64){
		"clear": func(_ *world, p *peer, token uint64) { p.clear("1914", token) },
		"lost":  func(w *world, p *peer, _ uint64) { w.Hangup(p.Session, w.at); w.pass(lease) },
	} {
		w := newWorld(t)
		agent, finalizer := w.connect(1000), w.connect(1000)
		_, _ = agent.ask(protocol.Request{Job: "1914", Run: "2207", Role: "worker"})
		token := finalizer.mark("1914", "2207", "").Token
		w.Died(agent.Session, w.at)
		<-w.Deaths()
		_, _ = w.TakeDead(10)

		end(w, finalizer, token)
		jobs, _ := w.TakeDead(10)
		assert.Equal(t, []watchdog.JobID{"1914"}, jobs, name)
		w.Recall()
		jobs, _ = w.TakeDead(10)
		assert.Equal(t, []watchdog.JobID{"1914"}, jobs, "and once a minute")
	}
}
