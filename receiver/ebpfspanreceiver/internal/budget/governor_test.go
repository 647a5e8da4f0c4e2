package budget

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// script is a Meter that returns what it is told to.
type script struct {
	use   Use
	err   error
	calls chan struct{}
}

func (s *script) Measure() (Use, error) {
	if s.calls != nil {
		s.calls <- struct{}{}
	}
	return s.use, s.err
}

func TestGovernorTellsAndReports(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	meter := &script{use: Use{Cores: 0.2, Resident: 1 << 20}}
	var aimed []float64
	g := NewGovernor(Options{
		Limits: Limits{Cores: 0.1}, Meter: meter, Aim: func(r float64) { aimed = append(aimed, r) }, Logger: zap.New(core),
	})
	assert.InDelta(t, 1, g.Ratio(), 0)
	g.step()
	assert.Equal(t, aimed, []float64{g.Ratio()})
	assert.InDelta(t, 0.33, g.Ratio(), 0.01)
	assert.InDelta(t, 0.2, g.Cores(), 0)
	assert.InDelta(t, 1<<20, g.Resident(), 0)
	assert.Equal(t, 1, logs.FilterMessageSnippet("are left out.").Len())
	for range 100 {
		g.step()
	}
	assert.Equal(t, 1, logs.FilterMessageSnippet("raise the budget").Len())
	meter.use.Cores = 0.01
	for range 100 {
		g.step()
	}
	assert.InDelta(t, 1, g.Ratio(), 0)
	assert.Equal(t, 1, logs.FilterMessageSnippet("within its budget").Len())
}

func TestWithoutALimitNothingIsGoverned(t *testing.T) {
	meter := &script{use: Use{Cores: 100, Resident: 1 << 20}}
	g := NewGovernor(Options{
		Limits: Limits{Resident: 1 << 30}, Meter: meter, Aim: func(float64) { t.Fail() }, Logger: zap.NewNop(),
	})
	for range 10 {
		g.step()
	}
}

func TestWhatCannotBeMeasuredChangesNothing(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	g := NewGovernor(Options{
		Limits: Limits{Cores: 0.1}, Meter: &script{err: errors.New("no")}, Aim: func(float64) { t.Fail() }, Logger: zap.New(core),
	})
	g.step()
	g.step()
	assert.Equal(t, 1, logs.Len(), "it is said once")
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	meter := &script{calls: make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		NewGovernor(Options{Meter: meter, Aim: func(float64) {}, Logger: zap.NewNop()}).Run(ctx)
	}()
	<-meter.calls
	cancel()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on")
	}
}

// reader is a Reader that is told how much comes, of what it can read.
type reader struct {
	load, ratio float64
	// fixed is the part that does not depend on how much is kept.
	fixed float64
}

func (r *reader) Pressure() float64 { return r.load * (r.fixed + (1-r.fixed)*r.ratio) }

func TestNoMoreIsKeptThanCanBeRead(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	r := &reader{load: 4, ratio: 1, fixed: 0.05}
	g := NewGovernor(Options{Reader: r, Aim: func(ratio float64) { r.ratio = ratio }, Logger: zap.New(core)})
	run := func(seconds int) {
		for range seconds {
			g.step()
		}
	}
	run(5)
	assert.Less(t, g.Ratio(), 0.5, "it is quick")
	run(60)
	assert.InDelta(t, 0.95, g.Pressure(), 0.1)
	assert.InDelta(t, r.ratio, g.Ratio(), 0)
	assert.Equal(t, 1, logs.FilterMessageSnippet("requests are left out").Len())
	r.load = 0.5
	run(60)
	assert.InDelta(t, 1, g.Ratio(), 0)
	assert.Equal(t, 1, logs.FilterMessageSnippet("no requests are left out").Len())
	r.load = 1
	run(60)
	assert.InDelta(t, 1, g.Ratio(), 0, "a reader that just keeps up loses nothing")
}

func TestWhatCannotBeLeftOutIsNoReasonToKeepNothing(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	r := &reader{load: 2, ratio: 1, fixed: 1}
	g := NewGovernor(Options{Reader: r, Aim: func(ratio float64) { r.ratio = ratio }, Logger: zap.New(core)})
	for range 200 {
		g.step()
	}
	assert.InDelta(t, minReadRatio, g.Ratio(), 0)
	assert.Equal(t, 1, logs.FilterMessageSnippet("events are lost").Len())
}

func TestTheSmallerPartCounts(t *testing.T) {
	r, meter := &reader{load: 2, fixed: 1}, &script{use: Use{Cores: 1}}
	g := NewGovernor(Options{Reader: r, Meter: meter, Limits: Limits{Cores: 0.01}, Aim: func(float64) {}, Logger: zap.NewNop()})
	for range 200 {
		g.step()
	}
	assert.InDelta(t, MinRatio, g.Ratio(), 0)
	meter.use.Cores = 0
	for range 200 {
		g.step()
	}
	assert.InDelta(t, minReadRatio, g.Ratio(), 0)
}
