package tracetreeexporter

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/confmap"

	"github.com/seqlink/seqlink/internal/confdecode"
)

const (
	outputStdout = "stdout"
	outputStderr = "stderr"

	colorAuto   = "auto"
	colorAlways = "always"
	colorNever  = "never"

	// defaultWidth is used where the output is not a terminal.
	defaultWidth = 120
	// minWidth leaves room for every column.
	minWidth = 60
	maxWidth = 1000

	// maxMaxDepth bounds the work for one line, which is drawn with a glyph per level.
	maxMaxDepth = 256
)

// Config is the configuration of the trace_tree exporter.
type Config struct {
	// Output is "stdout", "stderr" or the path of a file, which is appended to.
	Output string `mapstructure:"output"`
	// Color is "auto" (a terminal, and NO_COLOR is not set), "always" or "never".
	Color string `mapstructure:"color"`
	// Wait is how long a trace must have been quiet before it counts as finished.
	Wait time.Duration `mapstructure:"wait"`
	// Width is the length of a line in terminal cells; 0 takes the terminal's, or
	// 120 where there is none.
	Width int `mapstructure:"width"`
	// MaxTraces is the number of traces to print; later ones are counted only. 0
	// means no limit.
	MaxTraces int `mapstructure:"max_traces"`
	// MaxSpansPerTrace is the number of spans to print of one trace; 0 means no
	// limit.
	MaxSpansPerTrace int `mapstructure:"max_spans_per_trace"`
	// MaxDepth is the number of levels to print; 1 prints roots alone.
	MaxDepth int `mapstructure:"max_depth"`
	// MaxHeldSpans bounds the spans that wait for their trace to finish.
	MaxHeldSpans int `mapstructure:"max_held_spans"`
	// Summary prints a line of totals at shutdown.
	Summary bool `mapstructure:"summary"`
	// SummaryPath is a file to which the totals are written as JSON at shutdown;
	// empty means none.
	SummaryPath string `mapstructure:"summary_path"`
}

var (
	_ confmap.Validator   = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
)

// Unmarshal reads conf and words errors so that a person can act on them.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	return confdecode.Decode(conf, c)
}

// Validate checks every value and, for paths, that a file can be made there.
func (c *Config) Validate() error {
	return errors.Join(
		c.validateColor(),
		c.validateWait(),
		c.validateWidth(),
		c.validateDepth(),
		atLeast("max_traces", c.MaxTraces, 0, "use 0 for no limit"),
		atLeast("max_spans_per_trace", c.MaxSpansPerTrace, 0, "use 0 for no limit"),
		atLeast("max_held_spans", c.MaxHeldSpans, 1, "the default is 100000"),
		c.validateOutput(),
		c.validateSummaryPath(),
	)
}

func (c *Config) validateColor() error {
	switch c.Color {
	case colorAuto, colorAlways, colorNever:
		return nil
	}
	return fmt.Errorf("color: %q is not known; use auto, always or never", c.Color)
}

func (c *Config) validateWait() error {
	if c.Wait >= time.Millisecond {
		return nil
	}
	return fmt.Errorf("wait: %v is too short; use 1ms or more with its unit, such as 2s", c.Wait)
}

func (c *Config) validateWidth() error {
	if c.Width == 0 || (c.Width >= minWidth && c.Width <= maxWidth) {
		return nil
	}
	return fmt.Errorf("width: %d is out of range; use 0 for the terminal's width, or %d to %d", c.Width, minWidth, maxWidth)
}

func (c *Config) validateDepth() error {
	if c.MaxDepth >= 1 && c.MaxDepth <= maxMaxDepth {
		return nil
	}
	return fmt.Errorf("max_depth: %d is out of range; use 1 to %d", c.MaxDepth, maxMaxDepth)
}

func (c *Config) validateOutput() error {
	switch c.Output {
	case outputStdout, outputStderr:
		return nil
	case "":
		return errors.New(`output: "" names nothing; use stdout, stderr or the path of a file`)
	}
	return validateFilePath("output", c.Output)
}

func (c *Config) validateSummaryPath() error {
	if c.SummaryPath == "" {
		return nil
	}
	return validateFilePath("summary_path", c.SummaryPath)
}

func atLeast(key string, value, least int, cure string) error {
	if value >= least {
		return nil
	}
	return fmt.Errorf("%s: %d is less than %d; %s", key, value, least, cure)
}

// validateFilePath checks that path is no folder and lies in one that exists. It
// creates nothing, so that validating a configuration leaves no trace.
func validateFilePath(key, path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s: %q is a folder; name a file in it", key, path)
	}
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("%s: %q cannot be written (%w); create the folder %q or name another file", key, path, err, dir)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s: %q cannot be written because %q is no folder; name another file", key, path, dir)
	}
	return nil
}
