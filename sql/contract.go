package sql

// signature is what one statement takes and gives. A statement may leave out what it takes but does not need.
type signature struct {
	name  string
	needs []string // parameters without which it would mean something else
	takes []string // parameters that it may use as well
	gives []string // columns; none: it is an UPDATE and gives the number of rows changed
	// single says that it looks jobs up by their ids, whatever its other parameters: to plan it takes longer than to run it.
	single bool
}

// contract is every statement of a set.
func contract() []signature {
	return []signature{
		{name: "due_jobs", needs: []string{"now", "grace", "ceiling", "after", "limit"}, gives: jobColumns()},
		{name: "open_jobs", needs: []string{"after", "limit"}, takes: []string{"now"}, gives: jobColumns()},
		{name: "jobs", needs: []string{"jobs"}, takes: []string{"now"}, gives: jobColumns(), single: true},
		{name: "counts", gives: []string{"status", "count"}},
		{name: "lock", needs: []string{"job"}, gives: jobColumns(), single: true},
		{name: "requeue", needs: []string{"job", "version"}, takes: []string{"now"}, single: true},
		{name: "fail", needs: []string{"job", "version"}, takes: []string{"now"}, single: true},
		{name: "now", gives: []string{"now"}},
	}
}

func jobColumns() []string {
	return []string{"job", "run", "task", "stage", "status", "attempt", "version", "created_at", "started_at",
		"run_started_at", "finished_at", "exit_code", "pid"}
}
