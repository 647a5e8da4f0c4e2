package budget

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

type programs struct {
	cores float64
	err   error
}

func (p *programs) RunTime(time.Duration) (float64, error) { return p.cores, p.err }

func spin(d time.Duration) {
	used := func() time.Duration { t, _ := cpuTime(); return t }
	for end := used() + d; used() < end; {
	}
}

func TestProcessMeter(t *testing.T) {
	p := &programs{cores: 10}
	m, err := NewProcessMeter(p, zap.NewNop())
	require.NoError(t, err)
	spin(20 * time.Millisecond)
	use, err := m.Measure()
	require.NoError(t, err)
	assert.Greater(t, use.Cores, 10.0, "the programs' and some of its own")
	assert.Greater(t, use.Resident, float64(1<<20))
	assert.Less(t, use.Resident, float64(1<<40))
	p.cores = 0
	for range measurements - 1 {
		use, err = m.Measure()
		require.NoError(t, err)
		assert.GreaterOrEqual(t, use.Cores, 10.0, "it is not asked each time")
	}
	use, err = m.Measure()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, use.Cores, 4.0, "it is averaged")
}

func TestProgramsThatCannotBeMeasuredAreLeftOut(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	m, err := NewProcessMeter(&programs{cores: 10, err: errors.New("not permitted")}, zap.New(core))
	require.NoError(t, err)
	for range 2*measurements + 1 {
		spin(5 * time.Millisecond)
		use, err := m.Measure()
		require.NoError(t, err)
		assert.Positive(t, use.Cores)
	}
	assert.Equal(t, 1, logs.FilterMessageSnippet("own alone").Len())
}
