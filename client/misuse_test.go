package client_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog/client"
)

// Nothing here panics in its caller's code, whatever it was made of.
func TestMisuseDoesNothing(t *testing.T) {
	var none context.Context
	made := client.New(client.Options{Socket: "/nonexistent"})
	defer made.Close()
	for _, c := range []*client.Client{nil, new(client.Client), made} {
		o, err := c.Mark(none, job)
		assert.NoError(t, err)
		for _, o := range []*client.Ownership{o, nil, new(client.Ownership)} {
			assert.False(t, o.Granted())
			assert.False(t, o.Revoked())
			o.Step("re-test", time.Minute)
			a := o.Check(none)
			assert.Equal(t, client.Unknown, a.State)
			assert.Zero(t, a.Remaining())
			assert.NoError(t, o.Context(none).Err())
			o.Clear()
		}
		c.Close()
	}
	assert.Zero(t, client.Answer{}.Remaining())
}

// A finalizer may derive a context for each request it makes while it owns one job.
func TestEndedContextsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, _, o := owned(t)
		defer c.Close()
		const rounds, each = 50, 100
		before := heap()
		for range rounds {
			for range each {
				parent, cancel := context.WithCancel(t.Context())
				o.Context(parent)
				cancel()
			}
			synctest.Wait()
		}
		assert.Less(t, heap(), before+rounds*each*100)
		runtime.KeepAlive(o)
	})
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
