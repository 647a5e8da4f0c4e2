package tracetreeexporter

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

func TestConfigDefaultIsValid(t *testing.T) {
	assert.NoError(t, confmap.Validate(createDefaultConfig()))
}

func TestConfigReadsEveryKey(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"output": "stderr", "color": "never", "wait": "5s", "width": 100, "max_traces": 1, "max_spans_per_trace": 2,
		"max_depth": 3, "max_held_spans": 4, "summary": true, "summary_path": "s.json",
	}).Unmarshal(cfg))
	assert.Equal(t, &Config{
		Output: "stderr", Color: "never", Wait: 5 * time.Second, Width: 100, MaxTraces: 1, MaxSpansPerTrace: 2,
		MaxDepth: 3, MaxHeldSpans: 4, Summary: true, SummaryPath: "s.json",
	}, cfg)
	assert.NoError(t, confmap.Validate(cfg))
}

func TestConfigValidate(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	tests := []struct {
		name   string
		mutate func(*Config)
		want   string
	}{
		{"output_empty", func(c *Config) { c.Output = "" }, `output: "" names nothing; use stdout, stderr or the path of a file`},
		{"output_folder", func(c *Config) { c.Output = folder }, `is a folder; name a file in it`},
		{"output_in_no_folder", func(c *Config) { c.Output = folder + "/no/file" }, `create the folder "` + folder + `/no"`},
		{"output_below_file", func(c *Config) { c.Output = file + "/trees" }, `is no folder; name another file`},
		{"color", func(c *Config) { c.Color = "blue" }, `color: "blue" is not known; use auto, always or never`},
		{"wait_zero", func(c *Config) { c.Wait = 0 }, `wait: 0s is too short; use 1ms or more with its unit, such as 2s`},
		{"wait_negative", func(c *Config) { c.Wait = -time.Second }, `wait: -1s is too short`},
		{"width_small", func(c *Config) { c.Width = 59 }, `width: 59 is out of range; use 0 for the terminal's width, or 60 to 1000`},
		{"width_large", func(c *Config) { c.Width = 1001 }, `width: 1001 is out of range`},
		{"max_traces", func(c *Config) { c.MaxTraces = -1 }, `max_traces: -1 is less than 0; use 0 for no limit`},
		{"max_spans_per_trace", func(c *Config) { c.MaxSpansPerTrace = -2 }, `max_spans_per_trace: -2 is less than 0`},
		{"max_depth_zero", func(c *Config) { c.MaxDepth = 0 }, `max_depth: 0 is out of range; use 1 to 256`},
		{"max_depth_large", func(c *Config) { c.MaxDepth = 257 }, `max_depth: 257 is out of range`},
		{"max_held_spans", func(c *Config) { c.MaxHeldSpans = 0 }, `max_held_spans: 0 is less than 1; the default is 100000`},
		{"summary_path", func(c *Config) { c.SummaryPath = folder + "/no/file" }, `summary_path: "` + folder + `/no/file" cannot be written`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			tt.mutate(cfg)
			err := confmap.Validate(cfg)
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestConfigValidateCreatesNothing(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Output = filepath.Join(t.TempDir(), "trees.txt")
	require.NoError(t, confmap.Validate(cfg))
	assert.NoFileExists(t, cfg.Output)
}
