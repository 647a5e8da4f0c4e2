package redis

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

const (
	// maxText is how long a command's text may become, and maxArgument how much of one
	// argument is shown, in bytes.
	maxText     = 1024
	maxArgument = 128
	hidden      = "?"
	cut         = "..."
)

// text is a command as one would type it into redis-cli, with what is hidden left out.
type text struct {
	b    []byte
	full bool
}

// add appends an argument, or what stands for it.
func (t *text) add(argument []byte, whole, shown bool) {
	if t.full {
		return
	}
	if len(t.b) > maxText {
		t.full = true
		t.b = append(t.b, " "+cut...)
		return
	}
	if len(t.b) > 0 {
		t.b = append(t.b, ' ')
	}
	switch {
	case !shown:
		t.b = append(t.b, hidden...)
	case isPlain(argument):
		t.b = append(t.b, argument...)
	default:
		t.b = strconv.AppendQuote(t.b, string(argument))
	}
	if shown && !whole {
		t.b = append(t.b, cut...)
	}
}

// isPlain reports whether redis-cli takes an argument as it is.
func isPlain(argument []byte) bool {
	for i := 0; i < len(argument); {
		r, n := utf8.DecodeRune(argument[i:])
		if r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '"' || r == '\'' {
			return false
		}
		i += n
	}
	return len(argument) > 0
}
