package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/seqlink/seqlink/internal/confdecode"
	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/sampling"
)

// DanglingParents says what happens to the id of a remote parent that did not
// come within the window.
type DanglingParents string

const (
	// DanglingParentsClear removes the id, so that the span is a root, and records
	// it in the attribute seqlink.dangling_parent_span_id.
	DanglingParentsClear DanglingParents = "clear"
	// DanglingParentsKeep leaves the id as it is.
	DanglingParentsKeep DanglingParents = "keep"
)

const (
	defaultWindow           = 20 * time.Second
	defaultMaxMemoryMiB     = 1024
	defaultMaxDiskMiB       = 4096
	defaultMaxSpansPerTrace = 20_000
	defaultMaxTraceDuration = time.Hour
	// retentionWindows is the default retention, in windows.
	retentionWindows = 10
)

// Config is the configuration of the seqlink processor.
type Config struct {
	// DBPath is the directory in which waiting spans are kept; it is created when
	// missing. Empty: they are kept in memory and do not survive the process.
	DBPath string `mapstructure:"db_path"`
	// Window is how long a span waits, from its arrival, for the rest of its trace.
	Window time.Duration `mapstructure:"window"`
	// Retention is how long the ids of published traces stay known, so that late
	// spans join them. 0 means ten windows.
	Retention time.Duration `mapstructure:"retention"`
	// InheritAppTraceID lets a trace that holds an application's trace context take
	// that trace id.
	InheritAppTraceID bool `mapstructure:"inherit_app_trace_id"`
	// DanglingParents is clear or keep.
	DanglingParents DanglingParents `mapstructure:"dangling_parents"`
	// SyncWrites flushes every write to the disk before it is acknowledged, so that
	// spans survive a power loss and not only the end of the process.
	SyncWrites bool `mapstructure:"sync_writes"`
	// SamplingRate is the probability, from 0 to 1, with which a trace is passed on. It
	// is decided from the trace id, so that everybody who samples by OpenTelemetry's
	// consistent probability keeps the same traces.
	SamplingRate float64 `mapstructure:"sampling_rate"`
	// HonorAppSampling drops the traces that the application decided to drop.
	HonorAppSampling bool `mapstructure:"honor_app_sampling"`
	// MaxMemoryMiB bounds the memory of the index and, without DBPath, of the spans that
	// wait, in MiB. Beyond it the oldest names are forgotten; when that does not suffice,
	// senders are asked to retry. 0 is no bound.
	MaxMemoryMiB int `mapstructure:"max_memory_mib"`
	// MaxDiskMiB bounds the disk space of the store in the same way.
	MaxDiskMiB int `mapstructure:"max_disk_mib"`
	// MaxSpansPerTrace and MaxTraceDuration bound a trace: beyond them it does not grow.
	// 0 is no bound.
	MaxSpansPerTrace int           `mapstructure:"max_spans_per_trace"`
	MaxTraceDuration time.Duration `mapstructure:"max_trace_duration"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func createDefaultConfig() component.Config {
	return &Config{
		Window:            defaultWindow,
		InheritAppTraceID: true,
		DanglingParents:   DanglingParentsClear,
		SamplingRate:      1,
		MaxMemoryMiB:      defaultMaxMemoryMiB,
		MaxDiskMiB:        defaultMaxDiskMiB,
		MaxSpansPerTrace:  defaultMaxSpansPerTrace,
		MaxTraceDuration:  defaultMaxTraceDuration,
	}
}

// Unmarshal implements confmap.Unmarshaler.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confdecode.Decode(conf, c) }

// Validate names every key whose value cannot work, and what is allowed.
func (c *Config) Validate() error {
	return errors.Join(c.validateDBPath(), c.validateTimes(), c.validateDanglingParents(),
		c.validateSamplingRate(), c.validateRoom(), c.validateTraceLimits())
}

func (c *Config) validateDBPath() error {
	if c.DBPath == "" {
		if c.SyncWrites {
			return errors.New("sync_writes: true has no effect while db_path is empty (spans wait in memory): set db_path to a directory, or sync_writes to false")
		}
		return nil
	}
	info, err := os.Stat(c.DBPath)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("db_path: %q is not a directory: use a directory, or a path that does not exist yet (it is created), or \"\" for memory", c.DBPath)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("db_path: %q cannot be used: %w: use a directory that the collector may read and write, or \"\" for memory", c.DBPath, err)
	}
	return nil
}

func (c *Config) validateTimes() error {
	// A duration without a unit counts nanoseconds.
	if c.Window < time.Millisecond {
		return fmt.Errorf("window: %v is too short: give 1ms or more with its unit, %v for example", c.Window, defaultWindow)
	}
	if c.Retention != 0 && c.Retention < c.Window {
		return fmt.Errorf("retention: %v must be at least window (%v), or 0 for %d windows", c.Retention, c.Window, retentionWindows)
	}
	return nil
}

func (c *Config) validateDanglingParents() error {
	switch c.DanglingParents {
	case DanglingParentsClear, DanglingParentsKeep:
		return nil
	}
	return fmt.Errorf("dangling_parents: %q is not known: allowed are %q and %q", c.DanglingParents, DanglingParentsClear, DanglingParentsKeep)
}

func (c *Config) validateSamplingRate() error {
	if _, err := sampling.New(c.SamplingRate); err != nil {
		return fmt.Errorf("sampling_rate: %w", err)
	}
	return nil
}

// minRoomMiB is what the store and the index need to work at all.
const minRoomMiB = 32

func (c *Config) validateRoom() error {
	if c.MaxMemoryMiB != 0 && c.MaxMemoryMiB < minRoomMiB {
		return fmt.Errorf("max_memory_mib: %d is too small: give %d or more, %d for example, or 0 for no bound", c.MaxMemoryMiB, minRoomMiB, defaultMaxMemoryMiB)
	}
	if c.MaxDiskMiB != 0 && c.MaxDiskMiB < minRoomMiB {
		return fmt.Errorf("max_disk_mib: %d is too small: give %d or more, %d for example, or 0 for no bound", c.MaxDiskMiB, minRoomMiB, defaultMaxDiskMiB)
	}
	return nil
}

func (c *Config) validateTraceLimits() error {
	if c.MaxSpansPerTrace < 0 {
		return fmt.Errorf("max_spans_per_trace: %d must not be negative: give %d for example, or 0 for no bound", c.MaxSpansPerTrace, defaultMaxSpansPerTrace)
	}
	if c.MaxTraceDuration < 0 || c.MaxTraceDuration > 0 && c.MaxTraceDuration < c.Window {
		return fmt.Errorf("max_trace_duration: %v must be at least window (%v), %v for example, or 0 for no bound", c.MaxTraceDuration, c.Window, defaultMaxTraceDuration)
	}
	return nil
}

// retention returns Retention with its default applied.
func (c *Config) retention() time.Duration {
	if c.Retention == 0 {
		return retentionWindows * c.Window
	}
	return c.Retention
}
