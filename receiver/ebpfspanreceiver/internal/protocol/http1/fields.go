package http1

import (
	"bytes"
	"strings"
)

// newlines returns how many bytes at the start of b are ends of lines. Empty
// lines may come before a message: RFC 9112, section 2.2.
func newlines(b []byte) int {
	for i, c := range b {
		if c != '\r' && c != '\n' {
			return i
		}
	}
	return len(b)
}

// headEnd returns the offset after the empty line that ends a head, or -1. The
// search starts at from. A line may end without a carriage return: RFC 9112,
// section 2.2.
func headEnd(b []byte, from int) int {
	for i := from; ; {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return -1
		}
		i += j + 1
		if n := emptyLine(b[i:]); n > 0 {
			return i + n
		}
	}
}

// field is one line of a head, taken apart. A line that is none has no name.
type field struct {
	name []byte
	// content is the value with the white space around it: few fields are read.
	content []byte
}

func fieldOf(line []byte) field {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return field{}
	}
	name := line[:colon]
	for len(name) > 0 && isBlank(name[len(name)-1]) {
		name = name[:len(name)-1]
	}
	return field{name, line[colon+1:]}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// value returns the field's value.
func (f field) value() []byte {
	v := f.content
	for len(v) > 0 && isSpace(v[0]) {
		v = v[1:]
	}
	for len(v) > 0 && isSpace(v[len(v)-1]) {
		v = v[:len(v)-1]
	}
	return v
}

func isSpace(c byte) bool { return isBlank(c) || c == '\r' || c == '\n' }

// fieldLine returns the length of the line with which b begins, 0 where its end is not there. A line that begins
// with white space continues the one before it (obs-fold: RFC 9112, section 5.2).
func fieldLine(b []byte) int {
	for i := 0; ; {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return 0
		}
		i += j + 1
		if i == len(b) || !isBlank(b[i]) {
			return i
		}
	}
}

// emptyLine returns the length of the empty line with which b begins, 0 where that is another one.
func emptyLine(b []byte) int {
	switch {
	case bytes.HasPrefix(b, newline):
		return 1
	case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
		return 2
	}
	return 0
}

// contextFields are those fields of a head in which applications pass trace
// contexts on.
type contextFields []field

// Values implements propagation.Fields.
func (f contextFields) Values(name string) []string {
	var values []string
	for _, field := range f {
		if is(field.name, name) {
			values = append(values, text(string(field.value())))
		}
	}
	return values
}

// is tells whether a field's name is the given one.
func is(name []byte, other string) bool {
	return len(name) == len(other) && strings.EqualFold(string(name), other)
}

// text makes a string of s that can be exported: valid UTF-8 in one line.
func text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.ContainsAny(s, "\r\n") {
		s = strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
	}
	return s
}
