package tracetreeexporter

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds one printed text, in bytes. Longer than any line, it bounds what a
// held span weighs.
const maxText = 512

// clean makes text from the wire safe for a terminal: what is not graphic (control
// characters, escape sequences, changes of writing direction, invalid UTF-8) is
// replaced by its Go escape, and what exceeds maxText is cut off. The result shares
// no memory with the argument.
func clean(text string) string {
	var b strings.Builder
	for at, r := range text {
		if b.Len() >= maxText {
			b.WriteRune('…')
			break
		}
		writeClean(&b, text[at:], r)
	}
	return b.String()
}

func writeClean(b *strings.Builder, rest string, r rune) {
	if r == utf8.RuneError && !strings.HasPrefix(rest, string(utf8.RuneError)) {
		b.WriteString(`\x` + strconv.FormatUint(uint64(rest[0])|0x100, 16)[1:])
		return
	}
	if unicode.IsGraphic(r) {
		b.WriteRune(r)
		return
	}
	quoted := strconv.QuoteRuneToASCII(r)
	b.WriteString(quoted[1 : len(quoted)-1])
}
