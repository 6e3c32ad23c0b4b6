package sql

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
)

// To compile a pass's statement takes many times as long as to run it. Behind a pooler the connection is another's as
// well: there it is up to the role.
func TestNothingIsCompiled(t *testing.T) {
	f := onPostgres(t)
	compiles := func() (setting string) {
		require.NoError(t, f.store.db.Get(&setting, "SELECT current_setting('jit')"))
		return setting
	}
	require.Equal(t, "off", compiles())
	require.Empty(t, problems(Inspect(t.Context(), f.config)))

	pooled := func() {
		f.config.URL = f.pg.At(pg.StartBouncer(t, f.pg.Server, 1))
		f.store = f.open(t, f.config)
	}
	pooled()
	require.Equal(t, "on", compiles())
	require.Regexp(t, `^notice : the server may compile .* \[ALTER ROLE .* SET jit = off`, problems(Inspect(t.Context(), f.config)))

	f.exec(t, "ALTER ROLE "+f.pg.Server.User+" IN DATABASE "+f.pg.Name+" SET jit = off")
	pooled()
	require.Equal(t, "off", compiles())
	require.Empty(t, problems(Inspect(t.Context(), f.config)))
}
