package config

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"

	"github.com/seqlink/seqlink/exporter/tracetreeexporter"
	"github.com/seqlink/seqlink/processor/seqlinkprocessor"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver"
)

const documentation = "../../docs/configuration.md"

// TestEveryKeyIsDocumented compares the keys of each component with the rows of the
// tables in its section, both ways.
func TestEveryKeyIsDocumented(t *testing.T) {
	for heading, config := range map[string]component.Config{
		"## Receiver `ebpf_span`":  ebpfspanreceiver.NewFactory().CreateDefaultConfig(),
		"## Processor `seqlink`":   seqlinkprocessor.NewFactory().CreateDefaultConfig(),
		"## Exporter `trace_tree`": tracetreeexporter.NewFactory().CreateDefaultConfig(),
	} {
		t.Run(heading, func(t *testing.T) {
			assert.ElementsMatch(t, keys(reflect.TypeOf(config).Elem(), ""), documentedKeys(t, heading))
		})
	}
}

// keys lists the keys of a configuration, inner ones as outer::inner.
func keys(t reflect.Type, prefix string) []string {
	var found []string
	for _, field := range reflect.VisibleFields(t) {
		key, _, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		if key == "" {
			continue
		}
		found = append(found, prefix+key)
		if field.Type.Kind() == reflect.Struct {
			found = append(found, keys(field.Type, prefix+key+"::")...)
		}
	}
	return found
}

// documentedKeys lists the first cells of the tables below a heading.
func documentedKeys(t *testing.T, heading string) []string {
	t.Helper()
	text, err := os.ReadFile(documentation)
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(text), heading+"\n")
	require.True(t, ok, heading)
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	for line := range strings.Lines(section) {
		if key, ok := strings.CutPrefix(line, "| `"); ok {
			key, _, _ = strings.Cut(key, "`")
			documented = append(documented, key)
		}
	}
	return documented
}
