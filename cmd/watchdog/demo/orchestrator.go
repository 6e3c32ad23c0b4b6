package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/finalizer-watchdog/watchdog/client"
)

// OrchestratorCommand is the first operand of the demo's other processes: watchdog demo orchestrator FOLDER NAME.
const OrchestratorCommand = "orchestrator"

// orchestrator is one process that claims jobs, one at a time, runs their agents and finalizes them.
type orchestrator struct {
	name     string
	ledger   *ledger
	tree     tree
	watchdog *client.Client
}

// Orchestrate works as the named orchestrator of the demo in the folder until ctx ends; logs go to w.
func Orchestrate(ctx context.Context, folder, name string, w io.Writer) error {
	l, err := openLedger(databasePath(folder), "rw")
	if err != nil {
		return err
	}
	watchdog := client.New(client.Options{Socket: socketPath(folder), Name: name, Timeout: time.Second,
		Logger: slog.New(slog.NewTextHandler(w, nil))})
	defer watchdog.Close()
	o := &orchestrator{name: name, ledger: l, tree: tree{dir: treePath(folder)}, watchdog: watchdog}
	return errors.Join(o.run(ctx), l.close())
}

// run works until ctx ends. What it was working on then is left as it is, for whoever claims it next.
func (o *orchestrator) run(ctx context.Context) error {
	for ctx.Err() == nil {
		w, err := o.ledger.claim(ctx, os.Getpid())
		switch {
		case errors.Is(err, sql.ErrNoRows):
			err = pause(ctx, idleFor)
		case err != nil:
			err = fmt.Errorf("claim job: %w", err)
		default:
			err = o.work(ctx, w)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (o *orchestrator) work(ctx context.Context, w work) error {
	detail := "runs its agent"
	if w.worked {
		detail = "only finalizes, for its agent's work is done"
	}
	if err := o.note(ctx, w, claimed, detail); err != nil {
		return err
	}
	if !w.worked {
		if err := pause(ctx, agentTakes); err != nil {
			return err
		}
		if err := o.ledger.finished(ctx, w, 0); err != nil {
			return err
		}
	}
	return o.finalize(ctx, w)
}

func databasePath(folder string) string { return filepath.Join(folder, "orchestrator.db") }
func socketPath(folder string) string   { return filepath.Join(folder, "heartbeat.sock") }
func treePath(folder string) string     { return filepath.Join(folder, "tree") }
