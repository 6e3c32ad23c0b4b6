package demo

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func planted(t *testing.T) tree {
	t.Helper()
	tr := tree{dir: filepath.Join(t.TempDir(), "tree")}
	require.NoError(t, tr.plant("ORCH-110"))
	return tr
}

func TestAMergedTreePassesTheReTest(t *testing.T) {
	tr := planted(t)
	require.NoError(t, tr.retest(t.Context(), 0))
	require.NoError(t, tr.merge(t.Context(), "ORCH-111", 0))
	require.NoError(t, tr.retest(t.Context(), 0))
	head, err := tr.head()
	require.NoError(t, err)
	assert.Equal(t, "ORCH-111", head)
}

// The incident rests on it: whoever tests while another merges fails.
func TestAReTestFailsBesideAMerge(t *testing.T) {
	for begun, what := range map[time.Duration]string{
		200 * time.Millisecond:  "begun after the merge has",
		-100 * time.Millisecond: "begun before the merge has, which ends first",
	} {
		synctest.Test(t, func(t *testing.T) {
			tr := planted(t)
			merge := func(takes time.Duration) { assert.NoError(t, tr.merge(t.Context(), "ORCH-111", takes)) }
			if begun > 0 {
				go merge(mergeTakes)
				require.NoError(t, pause(t.Context(), begun))
			} else {
				go func() {
					assert.NoError(t, pause(t.Context(), -begun))
					merge(100 * time.Millisecond)
				}()
			}
			require.ErrorIs(t, tr.retest(t.Context(), retestTakes), errBroken, what)
			require.NoError(t, pause(t.Context(), time.Minute))
		})
	}
}

func TestAMergeThatWasInterruptedLeavesTheTreeBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := planted(t)
		ctx, stop := context.WithTimeout(t.Context(), mergeTakes/2)
		defer stop()
		require.ErrorIs(t, tr.merge(ctx, "ORCH-111", mergeTakes), context.DeadlineExceeded)
		head, err := tr.head()
		require.NoError(t, err)
		assert.Equal(t, "ORCH-110", head, "the manifest comes last")
		require.ErrorIs(t, tr.retest(t.Context(), 0), errBroken)
	})
}

func TestATreeWithoutAFileIsAnErrorOfItsOwn(t *testing.T) {
	tr := planted(t)
	require.NoError(t, os.Remove(filepath.Join(tr.dir, partName(3))))
	err := tr.retest(t.Context(), 0)
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.NotErrorIs(t, err, errBroken, "it is no finding of the re-test")
}

// The acts rest on the order of the spans.
func TestSpansAreInOrder(t *testing.T) {
	assert.Less(t, retestTakes, grace)
	assert.Greater(t, retestTakes+mergeTakes, grace+interval+retestTakes/treeParts, "a second re-test meets the merge")
	assert.Less(t, mergeTakes, hold)
	assert.Greater(t, mergeTakes+checksTake, hold+2*interval, "a pass after the hold defers too")
	assert.Less(t, agentTakes+retestTakes+mergeTakes+checksTake, ceiling)
	assert.Less(t, lease, grace)
}
