package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// badConfig is one mistake in the configuration of one of Seqlink's components.
type badConfig struct {
	name string
	// component is the id of the component, and settings what stands below it, in
	// YAML's flow style. FOLDER and FILE in it become paths that exist; the variable
	// SEQLINK_TEST_EMPTY is set to nothing.
	component, settings string
	// wants must all stand on one line of the answer: the key, the value and words
	// of the cure.
	wants []string
}

var badConfigs = []badConfig{
	{"receiver_unknown_key", "ebpf_span", "proceses: {all: true}", []string{"proceses", "processes"}},
	{"receiver_unknown_inner_key", "ebpf_span", "processes: {name: [nginx]}", []string{"unknown key name", "names"}},
	{"receiver_all_and_names", "ebpf_span", "processes: {all: true, names: [nginx]}", []string{"processes::all", "true", "remove"}},
	{"receiver_all_not_boolean", "ebpf_span", "processes: {all: sometimes}", []string{"processes::all", "sometimes", "true or false"}},
	{"receiver_env_with_value", "ebpf_span", "processes: {env: [A=b]}", []string{"processes::env", "A=b", "without '='"}},
	{"receiver_name_with_path", "ebpf_span", "processes: {names: [/usr/sbin/nginx]}", []string{"processes::names", "/usr/sbin/nginx", "without"}},
	{"receiver_name_empty", "ebpf_span", `processes: {exclude_names: [""]}`, []string{"processes::exclude_names", `""`, "not empty"}},
	{"receiver_pid_zero", "ebpf_span", "processes: {pids: [0]}", []string{"processes::pids", " 0 ", "give 1 to"}},
	{"receiver_pid_negative", "ebpf_span", "processes: {pids: [-7]}", []string{"processes::pids", "-7", "give 1 to"}},
	{"receiver_payload_too_large", "ebpf_span", "payload_size: 16385", []string{"payload_size", "16385", "0 to 16384"}},
	{"receiver_strategy", "ebpf_span", "capture: {strategy: ptrace}", []string{"capture::strategy", "ptrace", "auto, fentry, kprobe, tracepoint"}},
	{"receiver_payload_negative", "ebpf_span", "payload_size: -1", []string{"payload_size", "-1", "0 to 16384"}},
	{"receiver_payload_not_number", "ebpf_span", "payload_size: 1KiB", []string{"payload_size", "1KiB", "without a unit"}},
	{"receiver_ring_no_power_of_two", "ebpf_span", "ring_buffer_size: 1000000", []string{"ring_buffer_size", "1000000", "power of two"}},
	{"receiver_ring_too_small", "ebpf_span", "ring_buffer_size: 4096", []string{"ring_buffer_size", "4096", "65536 to"}},
	{"receiver_error_mode", "ebpf_span", "error_mode: panic", []string{"error_mode", "panic", "propagate, ignore"}},
	{"receiver_query", "ebpf_span", "http: {query: hash}", []string{"http::query", "hash", "redact, keep, drop"}},
	{"receiver_flush_interval", "ebpf_span", "flush_interval: -200ms", []string{"flush_interval", "-200ms", "give"}},
	{"receiver_flush_interval_no_unit", "ebpf_span", "flush_interval: fast", []string{"flush_interval", "fast", "duration"}},
	{"receiver_max_wait", "ebpf_span", "causality: {max_wait: -5s}", []string{"causality::max_wait", "-5s", "1ms to 1m0s"}},
	{"receiver_confidence", "ebpf_span", "causality: {min_confidence: 90}", []string{"causality::min_confidence", "90", "0 to 1"}},
	{"receiver_confidence_nan", "ebpf_span", "causality: {min_confidence: .nan}", []string{"causality::min_confidence", "NaN", "0 to 1"}},
	{"receiver_record_and_replay", "ebpf_span", "{record: FOLDER/new, replay: FILE}", []string{"record", "FOLDER/new", "replay", "remove one"}},
	{"receiver_record_exists", "ebpf_span", "record: FILE", []string{"record", "FILE", "remove it"}},
	{"receiver_record_no_folder", "ebpf_span", "record: FOLDER/none/new", []string{"record", "FOLDER/none/new", "create"}},
	{"receiver_record_payload_alone", "ebpf_span", "record_payload: true", []string{"record_payload", "true", "set record"}},
	{"receiver_replay_missing", "ebpf_span", "replay: FOLDER/none", []string{"replay", "FOLDER/none", "give the path"}},
	{"receiver_replay_folder", "ebpf_span", "replay: FOLDER", []string{"replay", "FOLDER", "give the path"}},

	{"processor_unknown_key", "seqlink", "windw: 5s", []string{"windw", "window"}},
	{"processor_window", "seqlink", "window: -20s", []string{"window", "-20s", "1ms or more"}},
	{"processor_window_without_unit", "seqlink", "window: 20", []string{"window", "20ns", "its unit"}},
	{"processor_window_no_duration", "seqlink", "window: long", []string{"window", "long", "duration"}},
	{"processor_retention", "seqlink", "{window: 20s, retention: 5s}", []string{"retention", "5s", "at least window"}},
	{"processor_dangling_parents", "seqlink", "dangling_parents: drop", []string{"dangling_parents", "drop", "clear"}},
	{"processor_sampling_rate", "seqlink", "sampling_rate: 2", []string{"sampling_rate", "2 ", "from 0"}},
	{"processor_sampling_rate_empty", "seqlink", `sampling_rate: "${env:SEQLINK_TEST_EMPTY}"`, []string{"sampling_rate", "empty", "remove the key", "unset"}},
	{"processor_max_memory_mib", "seqlink", "max_memory_mib: 1", []string{"max_memory_mib", " 1 ", "32 or more"}},
	{"processor_max_disk_mib", "seqlink", "max_disk_mib: 1", []string{"max_disk_mib", " 1 ", "32 or more"}},
	{"processor_max_spans_per_trace", "seqlink", "max_spans_per_trace: -1", []string{"max_spans_per_trace", "-1", "0 for no bound"}},
	{"processor_max_trace_duration", "seqlink", "max_trace_duration: 1s", []string{"max_trace_duration", "1s", "at least window"}},
	{"processor_db_path_is_file", "seqlink", "db_path: FILE", []string{"db_path", "FILE", "use a directory"}},
	{"processor_db_path_below_file", "seqlink", "db_path: FILE/window", []string{"db_path", "FILE/window", "use a directory"}},
	{"processor_sync_without_path", "seqlink", "sync_writes: true", []string{"sync_writes", "true", "set db_path"}},

	{"exporter_unknown_key", "trace_tree", "colour: never", []string{"colour", "color"}},
	{"exporter_color", "trace_tree", "color: blue", []string{"color", "blue", "auto, always or never"}},
	{"exporter_wait", "trace_tree", "wait: -2s", []string{"wait", "-2s", "its unit"}},
	{"exporter_width", "trace_tree", "width: 10", []string{"width", "10", "60 to 1000"}},
	{"exporter_width_not_number", "trace_tree", "width: wide", []string{"width", "wide", "a number"}},
	{"exporter_max_depth", "trace_tree", "max_depth: 0", []string{"max_depth", " 0 ", "1 to 256"}},
	{"exporter_max_traces", "trace_tree", "max_traces: -1", []string{"max_traces", "-1", "0 for no limit"}},
	{"exporter_output_no_folder", "trace_tree", "output: FOLDER/none/trees", []string{"output", "FOLDER/none/trees", "create the folder"}},
	{"exporter_output_folder", "trace_tree", "output: FOLDER", []string{"output", "FOLDER", "name a file"}},
}

// config puts the mistake into a configuration that is good otherwise.
func (b badConfig) config(settings string) string {
	of := map[string]string{"ebpf_span": "", "seqlink": "", "trace_tree": ""}
	of[b.component] = strings.TrimSuffix(strings.TrimPrefix(settings, "{"), "}")
	if !strings.HasPrefix(settings, "{") {
		of[b.component] = settings
	}
	return fmt.Sprintf(`
receivers: {ebpf_span: {%s}}
processors: {seqlink: {%s}}
exporters: {trace_tree: {%s}}
service:
  pipelines:
    traces: {receivers: [ebpf_span], processors: [seqlink], exporters: [trace_tree]}
`, of["ebpf_span"], of["seqlink"], of["trace_tree"])
}

func TestBadConfigsAreRefused(t *testing.T) {
	file := writeFile(t, "file", "")
	paths := strings.NewReplacer("FOLDER", t.TempDir(), "FILE", file)
	for _, bad := range badConfigs {
		t.Run(bad.name, func(t *testing.T) {
			path := writeFile(t, "config.yaml", bad.config(paths.Replace(bad.settings)))
			output, ok := run(t, []string{"SEQLINK_TEST_EMPTY="}, "validate", "--config", path)
			assert.False(t, ok, "the collector accepts it")
			wants := []string{}
			for _, want := range bad.wants {
				wants = append(wants, paths.Replace(want))
			}
			assert.True(t, oneLineHasAll(output, wants), "no line has all of %q:\n%s", wants, output)
		})
	}
}

func oneLineHasAll(output string, wants []string) bool {
	for line := range strings.Lines(output) {
		if hasAll(line, wants) {
			return true
		}
	}
	return false
}

func hasAll(line string, wants []string) bool {
	for _, want := range wants {
		if !strings.Contains(line, want) {
			return false
		}
	}
	return true
}

// The configuration around the mistakes is a good one, so that a refusal is for the
// mistake.
func TestConfigWithoutMistakeIsAccepted(t *testing.T) {
	path := writeFile(t, "config.yaml", badConfig{component: "ebpf_span"}.config(""))
	output, ok := run(t, nil, "validate", "--config", path)
	assert.True(t, ok, output)
}
