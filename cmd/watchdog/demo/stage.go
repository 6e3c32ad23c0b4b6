package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
)

// stage is where the acts are played: the folder, the watchdog and the orchestrators, and the timeline.
type stage struct {
	*timeline
	folder        string
	ledger        *ledger
	tree          tree
	watchdog      *served
	orchestrators map[string]*child
}

// build prepares the folder and starts the processes. The stage is to be closed also when it fails.
func build(ctx context.Context, folder, listen string, t *timeline) (*stage, error) {
	s := &stage{timeline: t, folder: folder, tree: tree{dir: treePath(folder)}, orchestrators: make(map[string]*child)}
	var err error
	if s.ledger, err = createLedger(ctx, databasePath(folder)); err != nil {
		return s, err
	}
	if err := s.tree.plant("ORCH-110"); err != nil {
		return s, err
	}
	if s.watchdog, err = serve(ctx, folder, listen); err != nil {
		return s, err
	}
	return s, errors.Join(s.employ("orchestrator-0"), s.employ("orchestrator-1"))
}

// employ starts an orchestrator.
func (s *stage) employ(name string) error {
	c, err := launch(name, filepath.Join(s.folder, name+".log"), []string{}, "demo", OrchestratorCommand, s.folder, name)
	if err == nil {
		s.orchestrators[name] = c
	}
	return err
}

// close stops every process and waits for it, the watchdog last.
func (s *stage) close() error {
	for _, c := range s.orchestrators {
		c.stop()
	}
	if s.watchdog != nil {
		s.watchdog.stop()
	}
	if s.ledger == nil {
		return nil
	}
	return s.ledger.close()
}

// process is the orchestrator that a pid of /queue names.
func (s *stage) process(pid int) (*child, error) {
	for _, c := range s.orchestrators {
		if c.pid() == pid {
			return c, nil
		}
	}
	return nil, fmt.Errorf("find the owner: pid %d is no orchestrator's", pid)
}

// replace ends an orchestrator for good and starts it again, as its supervisor would.
func (s *stage) replace(c *child) error {
	<-c.done
	return s.employ(c.name)
}

// note waits until an event of the job is written down, after the given note.
func (s *stage) note(ctx context.Context, job int64, what event, after int64) (e entry, err error) {
	err = s.until(ctx, fmt.Sprintf("job %d is noted as %s", job, what), func(ctx context.Context) (found bool, err error) {
		e, found, err = s.ledger.noted(ctx, job, what, after)
		return found, err
	})
	return e, err
}

// owned waits until /queue shows the job as the test wants it.
func (s *stage) owned(ctx context.Context, job int64, what string, test func(judged) bool) (j judged, err error) {
	err = s.until(ctx, what, func(ctx context.Context) (bool, error) {
		j, err = s.watchdog.job(ctx, job)
		return err == nil && test(j), err
	})
	return j, err
}

// rises waits until a counter is above what it was.
func (s *stage) rises(ctx context.Context, above float64, name string, labels ...string) (now float64, err error) {
	err = s.until(ctx, name+" rises", func(ctx context.Context) (bool, error) {
		now, err = s.watchdog.metric(ctx, name, labels...)
		return now > above, err
	})
	return now, err
}

func (s *stage) until(ctx context.Context, what string, seen func(context.Context) (bool, error)) error {
	return await(ctx, s.watchdog.child, what, seen)
}

// differs is the error of an act that did not come out as told.
func differs(what string, got, want any) error {
	return fmt.Errorf("%s is %v, not %v", what, got, want)
}

// kill is kill(2) without anything between it and the caller's clock.
func (c *child) kill() error { return syscall.Kill(c.pid(), syscall.SIGKILL) }
