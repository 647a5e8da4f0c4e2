package discover

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

func TestService(t *testing.T) {
	all := map[string]string{
		"SEQLINK_SERVICE":          "seqlink",
		"OTEL_SERVICE_NAME":        "otel",
		"DD_SERVICE":               "datadog",
		"DK_BPFTRACE_SERVICE":      "datakit",
		"OTEL_RESOURCE_ATTRIBUTES": "service.name=resource",
	}
	order := []string{"SEQLINK_SERVICE", "OTEL_SERVICE_NAME", "DD_SERVICE", "DK_BPFTRACE_SERVICE", "OTEL_RESOURCE_ATTRIBUTES"}
	want := []string{"seqlink", "otel", "datadog", "datakit", "resource", "orders"}
	for i := range want {
		p, err := (&Facts{Executable: "orders", Comm: "comm", Env: all}).process()
		require.NoError(t, err)
		assert.Equal(t, want[i], p.Service)
		if i < len(order) {
			all[order[i]] = " "
		}
	}
}

func TestServiceWithoutName(t *testing.T) {
	tests := map[string]struct {
		facts Facts
		want  string
	}{
		"comm":          {Facts{Comm: "worker"}, "worker"},
		"nothing":       {Facts{}, "unknown_service"},
		"invalid UTF-8": {Facts{Env: map[string]string{"DD_SERVICE": "caf\xe9"}}, "caf\uFFFD"},
		"broken resource attributes": {
			Facts{Executable: "orders", Env: map[string]string{resourceVariable: "service.name=a,b"}}, "orders",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, _ := test.facts.process()
			assert.Equal(t, test.want, p.Service)
		})
	}
}

func TestProcess(t *testing.T) {
	facts := &Facts{
		PID: 7, Executable: "orders", ContainerID: "c0ffee",
		Env: map[string]string{resourceVariable: "service.name=shop,deployment.environment.name=test"},
	}
	p, err := facts.process()
	require.NoError(t, err)
	assert.Equal(t, &capture.Process{
		PID: 7, Service: "shop", Executable: "orders", ContainerID: "c0ffee",
		Attributes: map[string]string{"deployment.environment.name": "test"},
	}, p)
}
