package ebpfspanreceiver

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

func TestDefaultConfigIsValid(t *testing.T) {
	require.NoError(t, createDefaultConfig().(confmap.Validator).Validate())
}

func TestConfigErrorsNameKeyValueAndCure(t *testing.T) {
	existing := filepath.Join(t.TempDir(), "there")
	require.NoError(t, os.WriteFile(existing, nil, 0o600))
	for name, c := range map[string]struct {
		mutate func(*Config)
		want   []string
	}{
		"payload too large":   {func(c *Config) { c.PayloadSize = 20000 }, []string{"payload_size", "20000", "0 to 16384"}},
		"payload negative":    {func(c *Config) { c.PayloadSize = -1 }, []string{"payload_size", "-1", "0 to 16384"}},
		"ring too small":      {func(c *Config) { c.RingBufferSize = 1024 }, []string{"ring_buffer_size", "1024", "65536"}},
		"ring odd":            {func(c *Config) { c.RingBufferSize = 100000 }, []string{"ring_buffer_size", "100000", "power of two"}},
		"error mode":          {func(c *Config) { c.ErrorMode = "shrug" }, []string{"error_mode", `"shrug"`, "propagate, ignore"}},
		"query":               {func(c *Config) { c.HTTP.Query = "hide" }, []string{"http::query", `"hide"`, "redact, keep, drop"}},
		"shown parameter":     {func(c *Config) { c.HTTP.QueryShow = []string{"a=b"} }, []string{"http::query_show", `"a=b"`, "without '='"}},
		"hidden parameter":    {func(c *Config) { c.HTTP.QueryHide = []string{""} }, []string{"http::query_hide", `""`, "not empty"}},
		"shown for nothing":   {func(c *Config) { c.HTTP.Query, c.HTTP.QueryShow = "keep", []string{"id"} }, []string{"http::query_show", "keep", "remove query_show"}},
		"redis query":         {func(c *Config) { c.Redis.Query = "hide" }, []string{"redis::query", `"hide"`, "redact, redact_keys, keep, drop"}},
		"statement":           {func(c *Config) { c.PostgreSQL.Query = "redact_keys" }, []string{"postgresql::query", `"redact_keys"`, "redact, keep, drop"}},
		"MySQL's statement":   {func(c *Config) { c.MySQL.Query = "hide" }, []string{"mysql::query", `"hide"`, "redact, keep, drop"}},
		"flush":               {func(c *Config) { c.FlushInterval = 0 }, []string{"flush_interval", "0s", "200ms"}},
		"wait zero":           {func(c *Config) { c.Causality.MaxWait = 0 }, []string{"causality::max_wait", "0s", "1m0s"}},
		"wait long":           {func(c *Config) { c.Causality.MaxWait = time.Hour }, []string{"causality::max_wait", "1h0m0s", "1m0s"}},
		"confidence":          {func(c *Config) { c.Causality.MinConfidence = 1.5 }, []string{"causality::min_confidence", "1.5", "0 to 1"}},
		"confidence NaN":      {func(c *Config) { c.Causality.MinConfidence = math.NaN() }, []string{"causality::min_confidence", "NaN", "0 to 1"}},
		"strategy":            {func(c *Config) { c.Capture.Strategy = "ptrace" }, []string{"capture::strategy", `"ptrace"`, "auto, fentry, kprobe, tracepoint"}},
		"budget unit":         {func(c *Config) { c.Budget.CPU = "2" }, []string{"budget::cpu", `"2"`, "2%"}},
		"budget nothing":      {func(c *Config) { c.Budget.CPU = "0%" }, []string{"budget::cpu", `"0%"`, "more than 0%"}},
		"budget too much":     {func(c *Config) { c.Budget.CPU = "101%" }, []string{"budget::cpu", `"101%"`, "100%"}},
		"budget NaN":          {func(c *Config) { c.Budget.CPU = "NaN%" }, []string{"budget::cpu", `"NaN%"`, "100%"}},
		"requests unit":       {func(c *Config) { c.Budget.Requests = "0.1" }, []string{"budget::requests", `"0.1"`, "10%"}},
		"requests nothing":    {func(c *Config) { c.Budget.Requests = "0.01%" }, []string{"budget::requests", `"0.01%"`, "0.1% to 100%"}},
		"budget tiny":         {func(c *Config) { c.Budget.Memory = "200" }, []string{"budget::memory", `"200"`, "64MiB", "200MiB"}},
		"budget no number":    {func(c *Config) { c.Budget.Memory = "much" }, []string{"budget::memory", `"much"`, "200MiB"}},
		"overload unknown":    {func(c *Config) { c.Budget.Overload = "lose" }, []string{"budget::overload", `"lose"`, "thin, drop"}},
		"replay missing":      {func(c *Config) { c.Replay = "/nowhere/r.jsonl" }, []string{"replay", "/nowhere/r.jsonl", "path of a recording"}},
		"replay folder":       {func(c *Config) { c.Replay = t.TempDir() }, []string{"replay", "not a file"}},
		"record without dir":  {func(c *Config) { c.Record = "/nowhere/r.jsonl" }, []string{"record", "/nowhere", "create"}},
		"record over a file":  {func(c *Config) { c.Record = existing }, []string{"record", existing, "remove it"}},
		"record while replay": {func(c *Config) { c.Record, c.Replay = "a", existing }, []string{"record", `"a"`, "remove one"}},
		"payload of nothing":  {func(c *Config) { c.RecordPayload = true }, []string{"record_payload", "true", "set record"}},
	} {
		config := createDefaultConfig().(*Config)
		c.mutate(config)
		err := config.Validate()
		require.Error(t, err, name)
		for _, want := range c.want {
			assert.ErrorContains(t, err, want, name)
		}
		assert.NotContains(t, err.Error(), "\n", name)
	}
}

func TestBudgetLimits(t *testing.T) {
	config := createDefaultConfig().(*Config)
	limits, err := config.Budget.limits()
	require.NoError(t, err)
	assert.Zero(t, limits, "no bound by default")
	config.Budget.CPU, config.Budget.Memory = "2.5%", "200MiB"
	require.NoError(t, config.Validate())
	limits, err = config.Budget.limits()
	require.NoError(t, err)
	assert.InDelta(t, 0.025*float64(runtime.NumCPU()), limits.Cores, 1e-9)
	assert.InDelta(t, 200<<20, limits.Resident, 0)
}
