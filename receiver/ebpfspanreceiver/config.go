package ebpfspanreceiver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/seqlink/seqlink/internal/confdecode"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/http1"
)

const (
	maxPayloadSize    = 16 << 10
	minRingBufferSize = 64 << 10
	maxRingBufferSize = 1 << 30
	maxMaxWait        = time.Minute
)

// The values of error_mode.
const (
	// errorModePropagate fails the collector's start where the kernel or the
	// privileges do not suffice.
	errorModePropagate = "propagate"
	// errorModeIgnore keeps the collector up without this receiver, whose status
	// then says why.
	errorModeIgnore = "ignore"
)

// The values of http.query, postgresql.query and mysql.query, and with redact_keys those of redis.query.
const (
	queryRedact     = "redact"
	queryRedactKeys = "redact_keys"
	queryKeep       = "keep"
	queryDrop       = "drop"
)

// secretParameters are hidden in queries that are kept: those that the semantic
// conventions name for url.query, and usual names of credentials.
var secretParameters = []string{
	"AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature",
	"X-Amz-Credential", "X-Amz-Security-Token", "X-Amz-Signature", "X-Goog-Credential",
	"access_key", "access_token", "api_key", "apikey", "auth", "authorization", "client_secret", "code", "credential", "id_token",
	"jwt", "key", "passwd", "password", "private_key", "pwd", "refresh_token", "secret", "session", "session_id", "token",
}

// Config is the receiver's configuration.
type Config struct {
	// Processes selects what is traced.
	Processes ProcessesConfig `mapstructure:"processes"`
	// Capture says how the kernel is watched.
	Capture CaptureConfig `mapstructure:"capture"`
	// PayloadSize is how many bytes of a message the kernel side hands over, 0 to 16384.
	PayloadSize int `mapstructure:"payload_size"`
	// RingBufferSize is the size of the buffer between kernel and receiver in
	// bytes, a power of two.
	RingBufferSize int `mapstructure:"ring_buffer_size"`
	// Record is a file to write the events to, beside making spans of them.
	Record string `mapstructure:"record"`
	// RecordPayload includes the payload in the recording.
	RecordPayload bool `mapstructure:"record_payload"`
	// Replay is a recording to take the events from, in place of the kernel.
	Replay string `mapstructure:"replay"`
	// ErrorMode is "propagate" or "ignore".
	ErrorMode string `mapstructure:"error_mode"`
	// Causality configures how calls are linked to requests.
	Causality CausalityConfig `mapstructure:"causality"`
	// HTTP configures what spans tell of HTTP messages.
	HTTP HTTPConfig `mapstructure:"http"`
	// Redis configures what spans tell of Redis commands.
	Redis RedisConfig `mapstructure:"redis"`
	// PostgreSQL configures what spans tell of statements.
	PostgreSQL SQLConfig `mapstructure:"postgresql"`
	// MySQL configures the same for MySQL and MariaDB.
	MySQL SQLConfig `mapstructure:"mysql"`
	// Budget bounds what capture may cost.
	Budget BudgetConfig `mapstructure:"budget"`
	// FlushInterval is how long a finished span may wait for company.
	FlushInterval time.Duration `mapstructure:"flush_interval"`
}

// CaptureConfig says how the kernel is watched.
type CaptureConfig struct {
	// Strategy is "fentry", "kprobe", "tracepoint", or "auto": the best of them that works.
	Strategy string `mapstructure:"strategy"`
}

// CausalityConfig bounds the decision about a call's parent.
type CausalityConfig struct {
	// MaxWait is how long an ended call may wait for evidence that comes after it.
	MaxWait time.Duration `mapstructure:"max_wait"`
	// MinConfidence is the confidence (0 to 1) below which the relation to the
	// request becomes a span link.
	MinConfidence float64 `mapstructure:"min_confidence"`
	// Hooks says whether the kernel side gathers what serves causality alone: goroutines,
	// who asks Go's net/http for a round trip, turns of event loops, wake-ups.
	Hooks bool `mapstructure:"hooks"`
	// Statistical is the rung that learns the order and the delays of calls.
	Statistical StatisticalConfig `mapstructure:"statistical"`
}

// StatisticalConfig switches the statistical rung.
type StatisticalConfig struct {
	Enabled bool `mapstructure:"enabled"`
}

// HTTPConfig says what of an HTTP message may leave.
type HTTPConfig struct {
	// Query is "redact" (keep the names and hide the values), "keep" or "drop".
	Query string `mapstructure:"query"`
	// QueryShow names parameters whose values are shown where query is "redact".
	QueryShow []string `mapstructure:"query_show"`
	// QueryHide names parameters whose values are hidden where query is "keep".
	QueryHide []string `mapstructure:"query_hide"`
}

// RedisConfig says what of a Redis command may leave.
type RedisConfig struct {
	// Query is "redact" (keep the command and its keys, and hide what else it has),
	// "redact_keys" (hide them, too), "keep" or "drop".
	Query string `mapstructure:"query"`
}

// SQLConfig says what of a statement may leave.
type SQLConfig struct {
	// Query is "redact" (hide literals and comments), "keep" or "drop".
	Query string `mapstructure:"query"`
}

func createDefaultConfig() component.Config {
	return &Config{
		Capture:        CaptureConfig{Strategy: capture.StrategyAuto},
		PayloadSize:    1024,
		RingBufferSize: 8 << 20,
		ErrorMode:      errorModePropagate,
		Causality: CausalityConfig{
			MaxWait: 5 * time.Second, MinConfidence: 0.9, Hooks: true, Statistical: StatisticalConfig{Enabled: true},
		},
		HTTP:          HTTPConfig{Query: queryRedact, QueryHide: slices.Clone(secretParameters)},
		Redis:         RedisConfig{Query: queryRedact},
		PostgreSQL:    SQLConfig{Query: queryRedact},
		MySQL:         SQLConfig{Query: queryRedact},
		Budget:        BudgetConfig{Overload: overloadThin},
		FlushInterval: 200 * time.Millisecond,
	}
}

// Unmarshal implements confmap.Unmarshaler.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confdecode.Decode(conf, c) }

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	return errors.Join(
		c.Processes.validate(),
		oneOf("capture::strategy", c.Capture.Strategy, capture.Strategies()...),
		inRange("payload_size", c.PayloadSize, 0, maxPayloadSize, "bytes"),
		c.validateRingBuffer(),
		c.validateFiles(),
		oneOf("error_mode", c.ErrorMode, errorModePropagate, errorModeIgnore),
		c.Causality.validate(),
		c.HTTP.validate(),
		oneOf("redis::query", c.Redis.Query, queryRedact, queryRedactKeys, queryKeep, queryDrop),
		oneOf("postgresql::query", c.PostgreSQL.Query, queryRedact, queryKeep, queryDrop),
		oneOf("mysql::query", c.MySQL.Query, queryRedact, queryKeep, queryDrop),
		c.Budget.validate(),
		atLeastMillisecond("flush_interval", c.FlushInterval),
	)
}

func (c *Config) validateRingBuffer() error {
	if err := inRange("ring_buffer_size", c.RingBufferSize, minRingBufferSize, maxRingBufferSize, "bytes"); err != nil {
		return err
	}
	if c.RingBufferSize&(c.RingBufferSize-1) != 0 {
		return fmt.Errorf("ring_buffer_size: %d is not a power of two: give 8388608 (8 MiB), for example", c.RingBufferSize)
	}
	return nil
}

func (c *Config) validateFiles() error {
	if c.Replay != "" && c.Record != "" {
		return fmt.Errorf("record: %q cannot be used together with replay: remove one of the two", c.Record)
	}
	if c.RecordPayload && c.Record == "" {
		return errors.New("record_payload: true records nothing without record: set record to a file, or remove record_payload")
	}
	if c.Replay != "" {
		return validateReplay(c.Replay)
	}
	if c.Record != "" {
		return validateRecord(c.Record)
	}
	return nil
}

func validateReplay(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("replay: %q is not a file: give the path of a recording", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("replay: %q cannot be read: give the path of a recording (%w)", path, unwrapPath(err))
	}
	return file.Close()
}

func validateRecord(path string) error {
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return fmt.Errorf("record: %q has no folder to be in: create %s, or give another path", path, filepath.Dir(path))
	}
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("record: %q exists already and is not written over: remove it, or give another path", path)
	}
	return nil
}

// unwrapPath leaves out the path, which the caller's message names already.
func unwrapPath(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

func (h *HTTPConfig) validate() error {
	errs := []error{oneOf("http::query", h.Query, queryRedact, queryKeep, queryDrop)}
	for key, names := range map[string][]string{"query_show": h.QueryShow, "query_hide": h.QueryHide} {
		for _, name := range names {
			if name == "" || strings.ContainsAny(name, "=&?") {
				errs = append(errs, fmt.Errorf("http::%s: %q is no parameter's name: give it without '=', '&' and '?', not empty", key, name))
			}
		}
	}
	if len(h.QueryShow) > 0 && h.Query != queryRedact {
		errs = append(errs, fmt.Errorf("http::query_show: %q has no effect with query: %s: set query to redact, or remove query_show",
			h.QueryShow, h.Query))
	}
	return errors.Join(errs...)
}

func (h *HTTPConfig) query() http1.Query {
	return http1.NewQuery(http1.QueryMode(h.Query), h.QueryShow, h.QueryHide)
}

func (c *CausalityConfig) validate() error {
	var errs []error
	if c.MaxWait < time.Millisecond || c.MaxWait > maxMaxWait {
		errs = append(errs, fmt.Errorf("causality::max_wait: %s is out of range: give 1ms to %s with its unit", c.MaxWait, maxMaxWait))
	}
	if !(c.MinConfidence >= 0 && c.MinConfidence <= 1) { // NaN is neither
		errs = append(errs, fmt.Errorf("causality::min_confidence: %v is out of range: give 0 to 1", c.MinConfidence))
	}
	return errors.Join(errs...)
}

func inRange(key string, value, low, high int, unit string) error {
	if value < low || value > high {
		return fmt.Errorf("%s: %d is out of range: give %d to %d %s", key, value, low, high, unit)
	}
	return nil
}

func oneOf(key, value string, allowed ...string) error {
	if !slices.Contains(allowed, value) {
		return fmt.Errorf("%s: %q is not known: give one of %s", key, value, strings.Join(allowed, ", "))
	}
	return nil
}

// atLeastMillisecond also catches durations without a unit, which count nanoseconds.
func atLeastMillisecond(key string, value time.Duration) error {
	if value < time.Millisecond {
		return fmt.Errorf("%s: %s is too short: give 1ms or more with its unit, 200ms for example", key, value)
	}
	return nil
}
