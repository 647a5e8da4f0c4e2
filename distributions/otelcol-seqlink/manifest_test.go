package distribution

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// packages names the Go package, by the end of its path, of every component that
// a configuration of this folder may use.
var packages = map[string]map[string]string{
	"receivers": {
		"ebpf_span": "/ebpfspanreceiver",
		"otlp":      "/otlpreceiver",
	},
	"processors": {
		"k8s_attributes": "/k8sattributesprocessor",
		"memory_limiter": "/memorylimiterprocessor",
		"seqlink":        "/seqlinkprocessor",
		"tail_sampling":  "/tailsamplingprocessor",
	},
	"exporters": {
		"otlp_grpc":  "/otlpexporter",
		"trace_tree": "/tracetreeexporter",
	},
	"extensions": {
		"health_check": "/healthcheckextension",
	},
}

// manifest is what the tests read of builder-config.yaml.
type manifest map[string]any

func readManifest(t *testing.T) manifest {
	t.Helper()
	var m manifest
	readYAML(t, "manifest.yaml", &m)
	return m
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(text, into))
}

// has says whether the manifest builds in a package of a class ("receivers").
func (m manifest) has(class, pkg string) bool {
	for _, entry := range m[class].([]any) {
		module := entry.(map[string]any)
		path, _, _ := strings.Cut(module["gomod"].(string), " ")
		if imported, ok := module["import"].(string); ok {
			path = imported
		}
		if strings.HasSuffix(path, pkg) {
			return true
		}
	}
	return false
}

// assertComponents checks that a collector's configuration uses only components
// that the manifest builds in, and in its pipelines only those that it configures.
func (m manifest) assertComponents(t *testing.T, config map[string]any) {
	t.Helper()
	for class := range packages {
		configured, _ := config[class].(map[string]any)
		for id := range configured {
			m.assertComponent(t, class, id)
		}
		for _, id := range used(config, class) {
			assert.Contains(t, configured, id, "%s in service, but not configured", class)
		}
	}
}

func (m manifest) assertComponent(t *testing.T, class, id string) {
	t.Helper()
	kind, _, _ := strings.Cut(id, "/")
	pkg, known := packages[class][kind]
	if assert.True(t, known, "%s: %s is not known to this test", class, id) {
		assert.True(t, m.has(class, pkg), "%s: %s is not in builder-config.yaml", class, id)
	}
}

// used lists the ids of a class that the service section names.
func used(config map[string]any, class string) []string {
	service := config["service"].(map[string]any)
	lists := []any{}
	if class == "extensions" {
		lists = append(lists, service[class])
	}
	for _, pipeline := range service["pipelines"].(map[string]any) {
		lists = append(lists, pipeline.(map[string]any)[class])
	}
	var ids []string
	for _, list := range lists {
		entries, _ := list.([]any)
		for _, id := range entries {
			ids = append(ids, id.(string))
		}
	}
	return ids
}

func TestManifestIsTheRepositorys(t *testing.T) {
	target, err := os.Readlink("manifest.yaml")
	require.NoError(t, err)
	assert.Equal(t, "../../builder-config.yaml", target)
}

func TestManifestPinsVersions(t *testing.T) {
	m := readManifest(t)
	for _, class := range []string{"receivers", "processors", "exporters", "connectors", "extensions", "providers"} {
		for _, entry := range m[class].([]any) {
			gomod := entry.(map[string]any)["gomod"].(string)
			_, version, _ := strings.Cut(gomod, " ")
			assert.Contains(t, []string{"v0.159.0", "v1.65.0", "v0.0.0"}, version, gomod)
		}
	}
}

func TestDefaultConfigUsesWhatIsBuiltIn(t *testing.T) {
	var config map[string]any
	readYAML(t, "../../otelcol-config.yaml", &config)
	readManifest(t).assertComponents(t, config)
}
