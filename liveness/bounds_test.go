package liveness

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// What one of each takes at most, in bytes: cmd/watchdog/room.go reckons the limits with these.
const (
	ownershipTakes  = 2500
	rememberedTakes = 4000
	wantedTakes     = 300
)

// TestWhatOneOfEachTakes makes each as large as a peer can.
func TestWhatOneOfEachTakes(t *testing.T) {
	const n = 2000
	longest := func(i, size int) string { return fmt.Sprintf("%0*d", size, i) }
	request := func(i, run int) protocol.Request {
		return protocol.Request{Job: longest(i, protocol.MaxID), Run: longest(run, protocol.MaxID), Key: longest(i, protocol.MaxID),
			Task: longest(i, protocol.MaxText), Stage: longest(i, protocol.MaxText), Role: "finalizer"}
	}
	w := newWorld(t)
	w.cfg.Limits = Limits{PerSession: n, Total: 2 * n, Remembered: n}
	p := w.connect(1000)
	each := func(what string, most int, make func(i int)) {
		_ = memory() // what was finalized in it is free after the next
		before := memory()
		for i := range n {
			make(i)
		}
		took := (memory() - before) / n
		t.Logf("%s: %d bytes", what, took)
		assert.Less(t, took, most, what)
	}
	each("an ownership with the longest texts", ownershipTakes, func(i int) {
		reply, _ := p.ask(request(i, 0))
		require.Nil(t, reply.Err)
		require.Nil(t, p.step(longest(i, protocol.MaxID), reply.Token, 0).Err)
		p.owned[reply.Token].step = strings.Clone(longest(i, protocol.MaxText))
	})
	for i := range n {
		job := watchdog.JobID(longest(i, protocol.MaxID))
		w.Observe(w.instant(), []watchdog.JobID{job}, nil)
	}
	require.Empty(t, p.owned)
	p.told, w.endings = nil, nil
	w.memory, w.jobs = remembered{}, map[watchdog.JobID]*entry{}

	each("a job that is remembered, revoked as often as counts", rememberedTakes, func(i int) {
		for run := range most + 1 {
			reply, _ := p.ask(request(i, run))
			require.Nil(t, reply.Err)
			w.Observe(w.instant(), []watchdog.JobID{watchdog.JobID(longest(i, protocol.MaxID))}, nil)
		}
		p.told, w.endings = nil, nil
	})
	a := newAsker(nil, w.Registry, nil, nil)
	each("a job that the database is to be asked about", wantedTakes, func(i int) { a.want(watchdog.JobID(longest(i, protocol.MaxID))) })
	runtime.KeepAlive(w)
	runtime.KeepAlive(a)
}
