package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func until(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func TestTheFirstServiceToEndEndsTheOthers(t *testing.T) {
	broken := errors.New("the port is gone")
	assert.ErrorIs(t, together(t.Context(), until, func(context.Context) error { return broken }, until), broken)
	assert.ErrorIs(t, together(t.Context(), until, func(context.Context) error { return nil }), errEnded,
		"nobody had asked it to")
}

func TestServicesEndWithTheirContext(t *testing.T) {
	late := errors.New("close the socket")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	assert.NoError(t, together(ctx, until, until))
	assert.ErrorIs(t, together(ctx, until, func(ctx context.Context) error { return errors.Join(until(ctx), late) }), late)
}
