package distribution

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// readUnit reads the settings of the systemd unit. Repeated keys keep their last
// value.
func readUnit(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("otelcol-seqlink.service")
	require.NoError(t, err)
	settings := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			settings[key] = value
		}
	}
	return settings
}

func TestUnitHasThePrivilegesOfTheAgent(t *testing.T) {
	unit := readUnit(t)
	var want []string
	for _, capability := range agentCapabilities {
		if capability != "SYS_RESOURCE" { // LimitMEMLOCK does instead.
			want = append(want, "CAP_"+string(capability))
		}
	}
	assert.ElementsMatch(t, want, strings.Fields(unit["AmbientCapabilities"]))
	assert.Equal(t, unit["AmbientCapabilities"], unit["CapabilityBoundingSet"])
	assert.Equal(t, "infinity", unit["LimitMEMLOCK"])
	assert.Equal(t, "yes", unit["NoNewPrivileges"])
	assert.Equal(t, "yes", unit["DynamicUser"])
	for _, call := range []string{"bpf", "perf_event_open"} {
		assert.Contains(t, strings.Fields(unit["SystemCallFilter"]), call)
	}
}

func TestUnitChecksTheConfigurationThatItRuns(t *testing.T) {
	unit := readUnit(t)
	binary, arguments, _ := strings.Cut(unit["ExecStart"], " ")
	assert.Equal(t, binary+" validate "+arguments, unit["ExecStartPre"])
}

// The default configuration reads the variables that the unit sets and documents.
func TestUnitAndDefaultConfigAgreeOnVariables(t *testing.T) {
	config, err := os.ReadFile("../../otelcol-config.yaml")
	require.NoError(t, err)
	variable, _, _ := strings.Cut(readUnit(t)["Environment"], "=")
	assert.Contains(t, string(config), "${env:"+variable+":-}")
}
