package tracetreeexporter

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// output is where trees go.
type output struct {
	w io.Writer
	// file is closed at shutdown; nil for the standard streams.
	file  *os.File
	paint painter
	// width gives the length of a line in cells, anew for each trace, because a
	// terminal may be resized.
	width func() int
}

func openOutput(cfg *Config) (*output, error) {
	switch cfg.Output {
	case outputStdout:
		return newOutput(cfg, os.Stdout), nil
	case outputStderr:
		return newOutput(cfg, os.Stderr), nil
	}
	file, err := os.OpenFile(cfg.Output, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("output: %q cannot be written (%w); name another file or give this process the right to write it", cfg.Output, err)
	}
	out := newOutput(cfg, file)
	out.file = file
	return out, nil
}

func newOutput(cfg *Config, file *os.File) *output {
	terminal := term.IsTerminal(int(file.Fd()))
	return &output{
		w:     file,
		paint: painter(wantsColor(cfg.Color, terminal, os.Getenv)),
		width: func() int { return lineWidth(cfg.Width, int(file.Fd())) },
	}
}

// wantsColor follows https://no-color.org: a variable NO_COLOR that is not empty
// switches colours off unless the configuration asks for them.
func wantsColor(mode string, terminal bool, getenv func(string) string) bool {
	switch mode {
	case colorAlways:
		return true
	case colorNever:
		return false
	}
	return terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

func lineWidth(configured, fd int) int {
	if configured > 0 {
		return configured
	}
	if width, _, err := term.GetSize(fd); err == nil && width > 0 {
		return min(width, maxWidth)
	}
	return defaultWidth
}

func (o *output) close() error {
	if o.file == nil {
		return nil
	}
	if err := o.file.Close(); err != nil {
		return fmt.Errorf("close output: %w", err)
	}
	return nil
}
