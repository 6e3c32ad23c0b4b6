package watchdog

import "errors"

// ErrNoJob is returned where a job was asked for that the database does not know. An id that the schema's
// type cannot hold names no job either.
var ErrNoJob = errors.New("no such job")
