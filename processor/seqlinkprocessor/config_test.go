package seqlinkprocessor

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

func TestConfigValidate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	tests := []struct {
		name   string
		mutate func(*Config)
		want   []string // parts of the error; none: valid
	}{
		{"defaults", func(*Config) {}, nil},
		{"directory to be created", func(c *Config) { c.DBPath = filepath.Join(t.TempDir(), "a", "b") }, nil},
		{"directory that exists", func(c *Config) { c.DBPath = t.TempDir() }, nil},
		{"retention equal to window", func(c *Config) { c.Retention = c.Window }, nil},
		{"parents kept", func(c *Config) { c.DanglingParents = DanglingParentsKeep }, nil},
		{"file as directory", func(c *Config) { c.DBPath = file }, []string{"db_path", file, "directory"}},
		{"path below a file", func(c *Config) { c.DBPath = filepath.Join(file, "db") }, []string{"db_path", file, "directory"}},
		{"no window", func(c *Config) { c.Window = 0 }, []string{"window", "0s", "1ms or more"}},
		{"negative window", func(c *Config) { c.Window = -time.Second }, []string{"window", "-1s", "1ms or more"}},
		{"short retention", func(c *Config) { c.Retention = time.Second }, []string{"retention", "1s", "at least window (20s)"}},
		{"negative retention", func(c *Config) { c.Retention = -time.Second }, []string{"retention", "-1s", "at least window"}},
		{"unknown enum", func(c *Config) { c.DanglingParents = "drop" }, []string{"dangling_parents", `"drop"`, `"clear"`, `"keep"`}},
		{"no enum", func(c *Config) { c.DanglingParents = "" }, []string{"dangling_parents", `""`, `"clear"`, `"keep"`}},
		{"no bounds", func(c *Config) { c.MaxMemoryMiB, c.MaxDiskMiB, c.MaxSpansPerTrace, c.MaxTraceDuration = 0, 0, 0, 0 }, nil},
		{"too little memory", func(c *Config) { c.MaxMemoryMiB = 31 }, []string{"max_memory_mib", "31", "32 or more", "0 for no bound"}},
		{"too little disk", func(c *Config) { c.MaxDiskMiB = -1 }, []string{"max_disk_mib", "-1", "32 or more", "0 for no bound"}},
		{"negative spans", func(c *Config) { c.MaxSpansPerTrace = -1 }, []string{"max_spans_per_trace", "-1", "0 for no bound"}},
		{"a trace shorter than the window", func(c *Config) { c.MaxTraceDuration = time.Second }, []string{"max_trace_duration", "1s", "window (20s)"}},
		{"no trace is kept", func(c *Config) { c.SamplingRate = 0 }, nil},
		{"no probability", func(c *Config) { c.SamplingRate = 1.5 }, []string{"sampling_rate", "1.5", "from 0", "to 1"}},
		{"syncing memory", func(c *Config) { c.SyncWrites = true }, []string{"sync_writes", "true", "db_path"}},
		{"two mistakes", func(c *Config) { c.Window, c.MaxMemoryMiB = 0, -1 }, []string{"window", "max_memory_mib: -1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			tt.mutate(cfg)
			err := cfg.Validate()
			if tt.want == nil {
				require.NoError(t, err)
				return
			}
			for _, part := range tt.want {
				require.ErrorContains(t, err, part)
			}
		})
	}
}

func TestConfigKeys(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"db_path":              "/var/lib/seqlink",
		"window":               "5s",
		"retention":            "7s",
		"inherit_app_trace_id": false,
		"dangling_parents":     "keep",
		"sync_writes":          true,
		"sampling_rate":        0.25,
		"honor_app_sampling":   true,
		"max_memory_mib":       64,
		"max_disk_mib":         65,
		"max_spans_per_trace":  7,
		"max_trace_duration":   "2h",
	}).Unmarshal(cfg))
	require.Equal(t, &Config{
		DBPath: "/var/lib/seqlink", Window: 5 * time.Second, Retention: 7 * time.Second,
		DanglingParents: DanglingParentsKeep, SyncWrites: true, SamplingRate: 0.25,
		HonorAppSampling: true, MaxMemoryMiB: 64, MaxDiskMiB: 65, MaxSpansPerTrace: 7, MaxTraceDuration: 2 * time.Hour,
	}, cfg)
	require.Equal(t, 7*time.Second, cfg.retention())
	require.Error(t, confmap.NewFromStringMap(map[string]any{"windows": "5s"}).Unmarshal(cfg), "unknown keys are errors")
}

func TestRetentionDefaultsToTenWindows(t *testing.T) {
	require.Equal(t, 200*time.Second, createDefaultConfig().(*Config).retention())
}
