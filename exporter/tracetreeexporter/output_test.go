package tracetreeexporter

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWantsColor(t *testing.T) {
	tests := []struct {
		mode     string
		terminal bool
		env      map[string]string
		want     bool
	}{
		{mode: colorAuto, terminal: true, want: true},
		{mode: colorAuto, terminal: false, want: false},
		{mode: colorAuto, terminal: true, env: map[string]string{"NO_COLOR": "1"}, want: false},
		{mode: colorAuto, terminal: true, env: map[string]string{"NO_COLOR": ""}, want: true},
		{mode: colorAuto, terminal: true, env: map[string]string{"TERM": "dumb"}, want: false},
		{mode: colorAlways, terminal: false, env: map[string]string{"NO_COLOR": "1"}, want: true},
		{mode: colorNever, terminal: true, want: false},
	}
	for _, tt := range tests {
		getenv := func(key string) string { return tt.env[key] }
		assert.Equal(t, tt.want, wantsColor(tt.mode, tt.terminal, getenv), "%+v", tt)
	}
}

func TestOutputOfAFileIsPlainAndOfDefaultWidth(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Output = filepath.Join(t.TempDir(), "trees.txt")
	out, err := openOutput(cfg)
	require.NoError(t, err)
	assert.False(t, bool(out.paint))
	assert.Equal(t, defaultWidth, out.width())
	cfg.Width = 99
	assert.Equal(t, 99, out.width())
	require.NoError(t, out.close())
}

func TestOutputStandardStreams(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	for name, stream := range map[string]*os.File{outputStdout: os.Stdout, outputStderr: os.Stderr} {
		cfg.Output = name
		out, err := openOutput(cfg)
		require.NoError(t, err)
		assert.Same(t, stream, out.w)
		require.NoError(t, out.close(), "the stream stays open")
		_, err = stream.Stat()
		assert.NoError(t, err)
	}
}
