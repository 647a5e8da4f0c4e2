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
	g := NewGovernor(Limits{Cores: 0.1}, meter, func(r float64) { aimed = append(aimed, r) }, zap.New(core))
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
	g := NewGovernor(Limits{Resident: 1 << 30}, &script{use: Use{Cores: 100, Resident: 1 << 20}}, func(float64) { t.Fail() }, zap.NewNop())
	for range 10 {
		g.step()
	}
}

func TestWhatCannotBeMeasuredChangesNothing(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	g := NewGovernor(Limits{Cores: 0.1}, &script{err: errors.New("no")}, func(float64) { t.Fail() }, zap.New(core))
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
		NewGovernor(Limits{}, meter, func(float64) {}, zap.NewNop()).Run(ctx)
	}()
	<-meter.calls
	cancel()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on")
	}
}
