package watchdog

import "time"

// JobID names a job. It is text to the watchdog, whatever its type in the database.
type JobID string

// RunID names one execution of a job's agent.
type RunID string

// The statuses that the watchdog knows. A set of statements for another schema translates to these;
// any other text is a status that the watchdog will not act on.
const (
	StatusQueued  = "queued"
	StatusRunning = "running"
	StatusDone    = "done"
	StatusFailed  = "failed"
)

// Job is one job as the database tells it, with the run that counts: the newest that started no earlier
// than the job did. A zero time, an empty text and a nil pointer mean that the database does not know.
type Job struct {
	ID      JobID
	Run     RunID
	Task    string
	Stage   string
	Status  string
	Attempt int64  // how often the orchestrator has claimed it; 0 when unknown
	Version string // opaque; changes whenever the job is run again, requeued or finished

	CreatedAt    time.Time
	StartedAt    time.Time
	RunStartedAt time.Time
	FinishedAt   time.Time // when the run finished; the job may be far from finalized
	ExitCode     *int64
	PID          *int64

	// Unreadable says which column held a value that is none of its kind, and the value; empty when all
	// could be read.
	Unreadable string
}

// Open reports whether the orchestrator considers the job to be running.
func (j Job) Open() bool { return j.Status == StatusRunning }

// Finished reports whether the job's run has ended, so that only its finalization can be missing.
func (j Job) Finished() bool { return !j.FinishedAt.IsZero() }

// Began is where the job's age is counted from: the first known of its run's start, its own start and its
// creation. It is zero when none is known.
func (j Job) Began() time.Time {
	switch {
	case !j.RunStartedAt.IsZero():
		return j.RunStartedAt
	case !j.StartedAt.IsZero():
		return j.StartedAt
	}
	return j.CreatedAt
}
