package ebpfspanreceiver

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover"
)

func selectionOf(t *testing.T, p ProcessesConfig) discover.Selection {
	s, err := p.selection()
	require.NoError(t, err)
	return s
}

func TestSelectionFallsBackToNamedServices(t *testing.T) {
	for _, p := range []ProcessesConfig{
		{},
		{ExcludeNames: []string{"x"}, ExcludePorts: []any{22}, ExcludeCgroups: []string{"/x"}},
		{Kubernetes: KubernetesConfig{ExcludePods: []PodsConfig{{Namespaces: []string{"x"}}}}},
	} {
		assert.Equal(t, namedServices, selectionOf(t, p).Include.Env)
	}
	for _, p := range []ProcessesConfig{
		{All: true},
		{PIDs: []int64{7}},
		{Names: []string{"nginx"}},
		{Executables: []string{"/usr/bin/*"}},
		{Cgroups: []string{"/a"}},
		{ContainerIDs: []string{"0123456789ab"}},
		{Ports: []any{80}},
		{Kubernetes: KubernetesConfig{Pods: []PodsConfig{{Namespaces: []string{"x"}}}}},
	} {
		assert.Empty(t, selectionOf(t, p).Include.Env)
	}
	assert.Equal(t, discover.Selection{Include: discover.Rules{PIDs: []uint32{7}}}, selectionOf(t, ProcessesConfig{PIDs: []int64{7}}))
}

// The types that YAML gives to ports are those that people write.
func TestSelectionFromYAML(t *testing.T) {
	config := createDefaultConfig().(*Config)
	require.NoError(t, config.Unmarshal(confmap.NewFromStringMap(map[string]any{"processes": map[string]any{
		"ports": []any{8080, "9000-9010"}, "exclude_ports": []any{22},
		"kubernetes": map[string]any{"node": "n", "pods": []any{map[string]any{"namespaces": []any{"shop"}, "labels": "app=orders"}}},
	}})))
	require.NoError(t, config.Validate())
	s := selectionOf(t, config.Processes)
	assert.Equal(t, []discover.PortRange{{First: 8080, Last: 8080}, {First: 9000, Last: 9010}}, s.Include.Ports)
	assert.Equal(t, []discover.PortRange{{First: 22, Last: 22}}, s.Exclude.Ports)
	require.Len(t, s.Include.Pods, 1)
	assert.Equal(t, []string{"shop"}, s.Include.Pods[0].Namespaces)
	assert.Equal(t, "app=orders", s.Include.Pods[0].Labels.String())
}

func TestProcessesErrorsNameKeyValueAndCure(t *testing.T) {
	labels := func(text string) KubernetesConfig {
		return KubernetesConfig{Node: "n", Pods: []PodsConfig{{Labels: text}}}
	}
	for name, c := range map[string]struct {
		processes ProcessesConfig
		want      []string
	}{
		"empty variable":     {ProcessesConfig{Env: []string{""}}, []string{"processes::env", `""`}},
		"assignment":         {ProcessesConfig{ExcludeEnv: []string{"A=1"}}, []string{"processes::exclude_env", `"A=1"`, "'='"}},
		"path as name":       {ProcessesConfig{Names: []string{"/bin/sh"}}, []string{"processes::names", `"/bin/sh"`, "'/'"}},
		"pid zero":           {ProcessesConfig{PIDs: []int64{0}}, []string{"processes::pids", "0", "1 to"}},
		"all and names":      {ProcessesConfig{All: true, Names: []string{"nginx"}}, []string{"processes::all", "true", "remove"}},
		"all and ports":      {ProcessesConfig{All: true, Ports: []any{80}}, []string{"processes::all", "true", "remove"}},
		"broken pattern":     {ProcessesConfig{Executables: []string{"/usr/[bin"}}, []string{"processes::executables", `"/usr/[bin"`, "begin it"}},
		"open brace":         {ProcessesConfig{ExcludeCgroups: []string{"/{a"}}, []string{"processes::exclude_cgroups", `"/{a"`, "braces"}},
		"name as path":       {ProcessesConfig{Executables: []string{"nginx"}}, []string{"processes::executables", `"nginx"`, "**/"}},
		"star before folder": {ProcessesConfig{Cgroups: []string{"*/nginx.service"}}, []string{"processes::cgroups", `"*/nginx.service"`, "**/"}},
		"container name":     {ProcessesConfig{ContainerIDs: []string{"web"}}, []string{"processes::container_ids", `"web"`, "12 to 64"}},
		"upper case":         {ProcessesConfig{ExcludeContainerIDs: []string{"0123456789AB"}}, []string{"processes::exclude_container_ids", "0123456789AB", "lower case"}},
		"port zero":          {ProcessesConfig{Ports: []any{0}}, []string{"processes::ports", `"0"`, "1 to 65535"}},
		"port name":          {ProcessesConfig{ExcludePorts: []any{"http"}}, []string{"processes::exclude_ports", `"http"`, "8000-8099"}},
		"range upside down":  {ProcessesConfig{Ports: []any{"90-80"}}, []string{"processes::ports", `"90-80"`, "8000-8099"}},
		"labels":             {ProcessesConfig{Kubernetes: labels("app in")}, []string{"processes::kubernetes::pods", `"app in"`, "app=orders"}},
		"every pod":          {ProcessesConfig{Kubernetes: labels("")}, []string{"processes::kubernetes::pods", "every pod", "namespaces"}},
		"no node": {
			ProcessesConfig{Kubernetes: KubernetesConfig{ExcludePods: []PodsConfig{{Namespaces: []string{"a"}}}}},
			[]string{"processes::kubernetes::node", "empty", "${env:K8S_NODE_NAME}"},
		},
		"no pods": {ProcessesConfig{Kubernetes: KubernetesConfig{Node: "n"}}, []string{"processes::kubernetes", "exclude_pods", "remove"}},
	} {
		config := createDefaultConfig().(*Config)
		config.Processes = c.processes
		err := config.Validate()
		require.Error(t, err, name)
		for _, want := range c.want {
			assert.ErrorContains(t, err, want, name)
		}
		assert.NotContains(t, err.Error(), "\n", name)
	}
}
