package reaper_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/reaper"
)

func TestUnlocked(t *testing.T) {
	inWorld(t, func(w *world) {
		var ids []watchdog.JobID
		for i := range 60 {
			id := watchdog.JobID(fmt.Sprint(i))
			w.add(id, 0)
			ids = append(ids, id)
		}
		locked := func(op string, id watchdog.JobID) error {
			if op == "lock" && id == "7" {
				return watchdog.ErrNoJob
			}
			return nil
		}
		w.db.fault(locked)
		free, err := w.reaper.Unlocked(t.Context(), append(ids, "none"))
		assert.NoError(t, err)
		assert.Len(t, free, 59)
		assert.NotContains(t, free, watchdog.JobID("7"))
		assert.NotContains(t, free, watchdog.JobID("none"))
		assert.Equal(t, 2, w.db.called("begin"), "each has few locked, and for a moment")
		assert.Equal(t, 2, w.db.called("rollback"))
		assert.Zero(t, w.db.called("commit"))

		w.db.fault(func(op string, id watchdog.JobID) error {
			if id == "9" {
				return errDown
			}
			return nil
		})
		free, err = w.reaper.Unlocked(t.Context(), ids)
		assert.ErrorContains(t, err, "lock job 9: connection refused")
		assert.Equal(t, ids[:9], free)
		assert.Zero(t, w.db.open)
		w.db.fault(failing("begin"))
		_, err = w.reaper.Unlocked(t.Context(), ids)
		assert.ErrorIs(t, err, errDown)
	})
}

func TestADryRunLocksNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		free, err := w.reaper.Unlocked(t.Context(), []watchdog.JobID{"1"})
		assert.NoError(t, err)
		assert.Equal(t, []watchdog.JobID{"1"}, free)
		assert.Zero(t, w.db.called("begin"))
	}, func(o *reaper.Options) { o.DryRun = true })
}
