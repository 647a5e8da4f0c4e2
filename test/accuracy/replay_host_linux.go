package main

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
)

// replayHost is the collector around a replay: the receiver tells it when the recording has ended, or why it cannot be read.
type replayHost struct {
	component.Host
	ended chan error
}

func newReplayHost() *replayHost {
	return &replayHost{Host: componenttest.NewNopHost(), ended: make(chan error, 1)}
}

// Report implements componentstatus.Reporter.
func (h *replayHost) Report(e *componentstatus.Event) {
	if _, ended := e.Attributes().Get("seqlink.replay"); !ended && e.Err() == nil {
		return
	}
	select {
	case h.ended <- e.Err():
	default: // the first is what counts
	}
}

// start starts components in this order.
func (h *replayHost) start(ctx context.Context, components ...component.Component) error {
	for _, c := range components {
		if err := c.Start(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// await returns when the recording has ended.
func (h *replayHost) await(ctx context.Context) error {
	select {
	case err := <-h.ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
