package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Options say how the demo is played and shown.
type Options struct {
	Out    io.Writer
	Width  int  // columns of Out; 0: lines are not broken
	Colour bool // Out is a terminal that shows colours

	Dir    string // an empty folder, or one to be made, which is kept; empty: a temporary one
	Keep   bool   // keeps the temporary folder too
	Listen string // where the watchdog serves its pages, as HOST:PORT
	Once   bool   // ends after the acts; else the demo goes on until the context ends
}

// Run plays the demo. It returns nil only if all came out as told, and when every process has ended.
func Run(ctx context.Context, o Options) (err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	t := &timeline{out: &audience{o.Out, stop}, width: o.Width, colour: o.Colour, now: time.Now, start: time.Now()}
	folder, tidy, err := o.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tidy()) }()
	t.plain("One watchdog, two orchestrators, one database, in %s.", folder)

	s, err := build(ctx, folder, o.Listen, t)
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return s.explain(err)
	}
	err = s.play(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return s.explain(err)
	}
	s.plain("")
	s.plain("All came out as told, in %.1f s.", time.Since(t.start).Seconds())
	if o.Once {
		return nil
	}
	return s.linger(ctx)
}

// audience is who reads the timeline. When nobody does any more the play ends, and is tidied up after.
type audience struct {
	io.Writer
	left func(error)
}

func (a *audience) Write(text []byte) (int, error) {
	n, err := a.Writer.Write(text)
	if err != nil {
		a.left(fmt.Errorf("write the timeline: %w", err))
	}
	return n, err
}

// folder makes the demo's folder. What it returns beside it removes a temporary one.
func (o Options) folder() (path string, tidy func() error, err error) {
	keep := func() error { return nil }
	if o.Dir == "" {
		path, err = os.MkdirTemp("", "watchdog-demo-")
		if err != nil {
			return "", nil, fmt.Errorf("make folder: %w", err)
		}
		if o.Keep {
			return path, keep, nil
		}
		return path, func() error { return os.RemoveAll(path) }, nil
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return "", nil, fmt.Errorf("make folder: %w", err)
	}
	entries, err := os.ReadDir(o.Dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty", o.Dir)
	}
	if err != nil {
		return "", nil, fmt.Errorf("use folder: %w", err)
	}
	return o.Dir, keep, nil
}
