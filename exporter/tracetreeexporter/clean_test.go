package tracetreeexporter

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestClean(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", ""},
		{"plain", "GET /a b?c=1", "GET /a b?c=1"},
		{"letters", "/straße/日本/é", "/straße/日本/é"},
		{"escape", "\x1b[31m", `\x1b[31m`},
		{"line_end", "a\r\nb\tc", `a\r\nb\tc`},
		{"c1", "\u009b1m", `\u009b1m`},
		{"delete", "a\x7f", `a\x7f`},
		{"direction", "\u202eabc", `\u202eabc`},
		{"line_separator", "a\u2028b", `a\u2028b`},
		{"invalid", "a\xff\xc3b", `a\xff\xc3b`},
		{"replacement", "a\ufffdb", "a\ufffdb"},
		{"zero", "\x00", `\x00`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { assert.Equal(t, tt.want, clean(tt.text)) })
	}
}

func TestCleanCuts(t *testing.T) {
	assert.Equal(t, strings.Repeat("a", maxText)+"…", clean(strings.Repeat("a", 10*maxText)))
	assert.Equal(t, strings.Repeat("a", maxText), clean(strings.Repeat("a", maxText)))
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b]0;x\x07")
	f.Add("\xff\xfe\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		got := clean(text)
		assert.True(t, utf8.ValidString(got))
		assert.LessOrEqual(t, len(got), maxText+len(`\U0010ffff`)+len("…"))
		for _, r := range got {
			assert.True(t, unicode.IsGraphic(r), "%q", r)
		}
	})
}
