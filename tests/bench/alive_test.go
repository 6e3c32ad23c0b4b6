package bench

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/pg"
	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// beatEvery is how often a job is said to be alive: a third of the default lease.
const beatEvery = 5 * time.Second

// spent is what it took to keep jobs alive for a span.
type spent struct {
	cpu, database time.Duration
	bytes, socket int64 // the socket's are among them
	said          string
}

// alive takes what it costs to be known to be alive, by the number of jobs.
func alive(t *testing.T, s scale, server *pg.Server) section {
	result := section{
		title: "2. The cost of being alive",
		method: fmt.Sprintf("One process owns the jobs, by the Go client, for %v, in which what is owned is compared with the database once. "+
			"CPU is that of the owner and of the watchdog, bytes are those of the socket, of the connections to PostgreSQL and of the write-ahead log. "+
			"Beside it the way of many queues: one UPDATE a job every %v, prepared and not batched, over at most 8 connections; bytes are those of the connections and of the log.", s.aliveSpan, beatEvery),
		beside: "UPDATEs",
	}
	for _, n := range s.alive {
		ours, theirs := owning(t, s, server, n), updating(t, s, server, n)
		per := func(bytes int64) string { return count(float64(bytes)/s.aliveSpan.Seconds()) + " B/s" }
		jobs := count(float64(n)) + " jobs"
		mine, its := ours.cpu+ours.database, theirs.cpu+theirs.database
		result.lines = append(result.lines,
			line{what: jobs + ": bytes", ours: per(ours.bytes), beside: per(theirs.bytes), ratio: float64(ours.bytes) / float64(theirs.bytes)},
			line{what: jobs + ": of that, the socket's", ours: per(ours.socket)},
			line{what: jobs + ": CPU, PostgreSQL's included", ours: share(mine, s.aliveSpan), beside: share(its, s.aliveSpan), ratio: mine.Seconds() / its.Seconds()},
			line{what: jobs + ": of that, PostgreSQL's", ours: share(ours.database, s.aliveSpan), beside: share(theirs.database, s.aliveSpan)})
		if theirs.said != "" {
			result.notes = append(result.notes, jobs+": "+theirs.said)
		}
	}
	return result
}

// owning is the cost of so many ownerships.
func owning(t *testing.T, s scale, server *pg.Server, jobs int) spent {
	t.Helper()
	d := database(t, server)
	running(t, d, 1, jobs, 0)
	d.Exec(t, "ANALYZE jobs, agent_runs")
	w := program.Serve(t, program.For(t, d.URL).With(program.Settings{"REAPER_INTERVAL": "5s"}))
	defer finish(t, w.Process)
	owner := cast(t, "owner", w.Socket, strconv.Itoa(jobs), "0")
	defer finish(t, owner)
	require.InDelta(t, jobs, w.Metric(t, "finalizer_owned"), 0)
	settle(t, w.PID)

	before, databaseBefore, bytes := cpu(t, w.PID, owner.PID), serverCPU(t, server), transferred(t, w.PID)+written(t, d)
	socket := transferred(t, owner.PID)
	<-time.After(s.aliveSpan)
	after := spent{cpu: cpu(t, w.PID, owner.PID) - before, database: serverCPU(t, server) - databaseBefore,
		bytes: transferred(t, w.PID) + written(t, d) - bytes, socket: transferred(t, owner.PID) - socket}
	assert.InDelta(t, jobs, w.Metric(t, "finalizer_owned"), 0, "none was lost meanwhile")
	t.Logf("%d owned: watchdog %.1f MiB resident", jobs, w.Resident(t))
	return after
}

// written is how far the server's write-ahead log has come, in bytes.
func written(t *testing.T, d *program.Database) int64 {
	t.Helper()
	n, err := strconv.ParseInt(d.Text(t, "SELECT CAST(pg_current_wal_lsn() - '0/0' AS bigint)"), 10, 64)
	require.NoError(t, err)
	return n
}

// settle waits until a process has done what is left from before.
func settle(t *testing.T, pid int) {
	t.Helper()
	program.Eventually(t, "it is idle", func() bool {
		before := cpu(t, pid)
		<-time.After(200 * time.Millisecond)
		return cpu(t, pid)-before < 20*time.Millisecond
	})
}

// updating is the cost of one UPDATE a job and interval.
func updating(t *testing.T, s scale, server *pg.Server, jobs int) spent {
	t.Helper()
	d := database(t, server)
	d.Exec(t, "CREATE TABLE alive (job bigint PRIMARY KEY, at timestamptz)",
		fmt.Sprintf("INSERT INTO alive SELECT n, now() FROM generate_series(1, %d) n", jobs), "ANALYZE alive")
	updater := cast(t, "updater", d.URL, strconv.Itoa(jobs))
	defer finish(t, updater)
	done := func() float64 {
		n, err := strconv.ParseFloat(d.Text(t, "SELECT count(*) FROM alive WHERE at > now() - interval '5 s'"), 64)
		require.NoError(t, err)
		return n
	}
	before, databaseBefore, bytes := cpu(t, updater.PID), serverCPU(t, server), transferred(t, updater.PID)+written(t, d)
	<-time.After(s.aliveSpan)
	after := spent{cpu: cpu(t, updater.PID) - before, database: serverCPU(t, server) - databaseBefore,
		bytes: transferred(t, updater.PID) + written(t, d) - bytes}
	if n := done(); s.aliveSpan >= beatEvery && n < 0.95*float64(jobs) {
		after.said = fmt.Sprintf("the UPDATEs could not keep up; in the last %v only %s jobs had theirs.", beatEvery, count(n))
	}
	return after
}
