package incident

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// TestNoHoldIsPromisedIntoACommitThatIsUnderWay is about a watchdog that died before its commit had arrived. The next
// one is asked by the owner that comes back: until the transaction is over it promises nothing.
func TestNoHoldIsPromisedIntoACommitThatIsUnderWay(t *testing.T) {
	t.Parallel()
	for _, commits := range []bool{true, false} {
		in := pg.New(t)
		d := program.OnPostgres(t, in)
		d.Finished(t, job, guarded)
		left, err := in.Open(t).Begin() // by the dead watchdog, on the server
		require.NoError(t, err)
		_, err = left.Exec("UPDATE jobs SET status = 'queued', started_at = NULL WHERE id = 1914")
		require.NoError(t, err)

		w := program.Serve(t, program.For(t, d.URL))
		p := program.Connect(t, w.Socket)
		require.True(t, p.Ask(t, fmt.Sprintf(`{"op":"mark","job":%d,"run":%d,"token":42}`, job, program.FirstRun(job))).OK)
		check := fmt.Sprintf(`{"op":"check","job":%d,"token":42}`, job)
		for range 3 {
			assert.Equal(t, "unavailable", p.Ask(t, check).Error)
		}
		if commits {
			require.NoError(t, left.Commit())
		} else {
			require.NoError(t, left.Rollback())
		}
		var said program.Message
		program.Eventually(t, "the check is answered", func() bool {
			said = p.Ask(t, check)
			return said.Error != "unavailable"
		})
		assert.Equal(t, commits, said.Event == "revoked", said)
		assert.Equal(t, !commits, said.OK, said)
	}
}
