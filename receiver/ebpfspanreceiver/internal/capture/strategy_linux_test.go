package capture

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The buffers of twins lie one after the other: both sides must count them alike. The
// objects say nothing of the enumeration.
func TestRoomsAreThoseOfThePrograms(t *testing.T) {
	header, err := os.ReadFile("../../../../bpf/include/payload.h")
	require.NoError(t, err)
	enum := regexp.MustCompile(`enum room \{([^}]*)\bROOMS,`).FindSubmatch(header)
	require.NotNil(t, enum)
	assert.Len(t, regexp.MustCompile(`\bROOM_\w+,`).FindAll(enum[1], -1), rooms)
}

// The programs that a strategy names are in its object, and so are those that it may do without.
func TestProgramsOfStrategiesExist(t *testing.T) {
	for _, s := range strategies(true) {
		spec, err := s.load()
		require.NoError(t, err)
		for _, name := range s.order(spec) {
			require.Contains(t, spec.Programs, name, s.name)
			if other := substitutes[name]; other != "" {
				assert.Contains(t, spec.Programs, other, s.name)
			}
		}
		if s.twins {
			assert.Contains(t, spec.Variables, "first_room")
		}
	}
}

func TestStrategiesThatHoldTheProcessorComeFirstWhereTasksArePreempted(t *testing.T) {
	names := func(preempted bool) (all []string) {
		for _, s := range strategies(preempted) {
			all = append(all, s.name)
		}
		return all
	}
	assert.Equal(t, []string{StrategyFentry, StrategyKprobe, StrategyTracepoint}, names(false))
	assert.Equal(t, []string{StrategyKprobe, StrategyFentry, StrategyTracepoint}, names(true))
}
