package config

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

const distribution = "../../distributions/otelcol-seqlink/"

// podEnvironment is what the Kubernetes objects give to a container.
var podEnvironment = []string{"MY_POD_IP=10.0.0.1", "K8S_NODE_NAME=node", "SEQLINK_OTLP_ENDPOINT=backend:4317"}

func assertValid(t *testing.T, path string, env ...string) {
	t.Helper()
	output, ok := run(t, env, "validate", "--config", path)
	assert.True(t, ok, output)
}

func TestDefaultConfigIsValid(t *testing.T) {
	assertValid(t, "../../otelcol-config.yaml")
}

// The systemd unit runs the default configuration with these variables.
func TestDefaultConfigIsValidAsAService(t *testing.T) {
	assertValid(t, "../../otelcol-config.yaml", "SEQLINK_DB_PATH="+t.TempDir()+"/window",
		"SEQLINK_OTLP_ENDPOINT=backend:4317", "SEQLINK_OTLP_INSECURE=false", "SEQLINK_LISTEN_ADDRESS=0.0.0.0")
}

// The aliases work with and without the variables, and a bad value is named.
func TestDataKitConfigIsValid(t *testing.T) {
	const path = distribution + "otelcol-datakit.yaml"
	assertValid(t, path)
	assertValid(t, path, "ENV_INPUT_EBPFTRACE_DB_PATH="+t.TempDir()+"/window", "ENV_INPUT_EBPFTRACE_WINDOW=30s",
		"ENV_INPUT_EBPFTRACE_USE_APP_TRACE_ID=false", "ENV_INPUT_EBPFTRACE_SAMPLING_RATE=0.1")
	for variable, key := range map[string]string{
		"ENV_INPUT_EBPFTRACE_WINDOW=soon": "window", "ENV_INPUT_EBPFTRACE_SAMPLING_RATE=7": "sampling_rate",
		"ENV_INPUT_EBPFTRACE_USE_APP_TRACE_ID=perhaps": "inherit_app_trace_id",
	} {
		output, ok := run(t, []string{variable}, "validate", "--config", path)
		assert.False(t, ok, variable)
		assert.Contains(t, output, key)
	}
}

func TestKubernetesConfigsAreValid(t *testing.T) {
	for _, file := range []string{"kubernetes/agent.yaml", "kubernetes/linker.yaml"} {
		config := writeFile(t, "config.yaml", configMap(t, distribution+file))
		assertValid(t, config, podEnvironment...)
	}
}

// configMap returns the collector's configuration in a file of Kubernetes objects.
func configMap(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, document := range strings.Split(string(text), "\n---\n") {
		var object struct {
			Kind string            `json:"kind"`
			Data map[string]string `json:"data"`
		}
		if yaml.Unmarshal([]byte(document), &object) == nil && object.Kind == "ConfigMap" {
			return object.Data["config.yaml"]
		}
	}
	require.Fail(t, "no ConfigMap in "+path)
	return ""
}

func TestHelmValuesConfigsAreValid(t *testing.T) {
	for _, file := range []string{"values-opentelemetry-collector.yaml", "values-opentelemetry-collector-linker.yaml"} {
		text, err := os.ReadFile(distribution + file)
		require.NoError(t, err)
		var values struct {
			AlternateConfig map[string]any `json:"alternateConfig"`
		}
		require.NoError(t, yaml.Unmarshal(text, &values))
		config, err := yaml.Marshal(values.AlternateConfig)
		require.NoError(t, err)
		assertValid(t, writeFile(t, "config.yaml", string(config)), podEnvironment...)
	}
}

func TestComponentsAreBuiltIn(t *testing.T) {
	output, ok := run(t, nil, "components")
	require.True(t, ok, output)
	var built map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(output), &built))
	for class, names := range map[string][]string{
		"receivers": {"ebpf_span", "otlp"},
		"processors": {
			"attributes", "batch", "filter", "k8s_attributes", "memory_limiter", "probabilistic_sampler",
			"resource_detection", "seqlink", "tail_sampling", "transform",
		},
		"exporters":  {"debug", "file", "load_balancing", "otlp_grpc", "otlp_http", "prometheus", "trace_tree"},
		"connectors": {"span_metrics"},
		"extensions": {"file_storage", "health_check", "pprof", "zpages"},
	} {
		assert.Subset(t, componentNames(built[class]), names, class)
	}
}

func componentNames(class any) []string {
	entries, _ := class.([]any)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.(map[string]any)["name"].(string))
	}
	return names
}
