package sql

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	watchdog "github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/tests/pg"
)

// Behind a transaction pooler with fewer servers than clients, each call gets its own answer, and instants are
// right whatever time zone the database prefers.
func TestPgBouncer(t *testing.T) {
	const jobs, clients, rounds = 48, 8, 60
	f := onPostgres(t)
	f.exec(t, "ALTER DATABASE "+f.pg.Name+" SET timezone = 'Asia/Tokyo'")
	f.exec(t, fmt.Sprintf("INSERT INTO jobs (id, status, started_at) SELECT n, 'running', to_timestamp(%d + n) FROM generate_series(1, %d) n",
		noon.Unix(), jobs))
	addr := pg.StartBouncer(t, f.pg.Server, 3)

	stores := []*Store{f.open(t, Config{URL: f.pg.At(addr), Timeout: timeout}), f.open(t, Config{URL: f.pg.At(addr), Timeout: timeout})}
	var all sync.WaitGroup
	for client := range clients {
		store := stores[client%len(stores)]
		all.Go(func() {
			for round := range rounds {
				id := watchdog.JobID(strconv.Itoa(1 + (client*rounds+round)%jobs))
				if !readAndLock(t, store, id) {
					return
				}
			}
		})
	}
	all.Wait()

	var zone string
	require.NoError(t, stores[0].db.Get(&zone, "SELECT current_setting('timezone')"))
	require.Equal(t, "UTC", zone)
}

// readAndLock reads one job in every way and compares the answers.
func readAndLock(t *testing.T, store *Store, id watchdog.JobID) bool {
	read, err := store.Jobs(t.Context(), noon, []watchdog.JobID{id})
	if !assert.NoError(t, err) || !assert.Len(t, read, 1) || !assert.Equal(t, id, read[0].ID) {
		return false
	}
	offset, _ := strconv.Atoi(string(id))
	counts, err := store.Counts(t.Context())
	if !assert.NoError(t, err) || !assert.Equal(t, map[string]int{"running": 48}, counts) ||
		!assert.Equal(t, noon.Unix()+int64(offset), read[0].StartedAt.Unix()) {
		return false
	}
	tx, err := store.Begin(t.Context())
	if !assert.NoError(t, err) {
		return false
	}
	defer func() { assert.NoError(t, tx.Rollback()) }()
	locked, err := tx.Lock(t.Context(), id)
	if errors.Is(err, watchdog.ErrNoJob) {
		return true // another client has it
	}
	if !assert.NoError(t, err) || !assert.Equal(t, read[0], locked) {
		return false
	}
	changed, err := tx.Requeue(t.Context(), noon, id, locked.Version)
	return assert.NoError(t, err) && assert.True(t, changed)
}
