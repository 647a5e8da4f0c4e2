package http1

import "bytes"

// maxMethod is the longest method that is believed to be one. The longest
// registered is UPDATEREDIRECTREF with 17 letters.
const maxMethod = 32

var (
	space    = []byte(" ")
	newline  = []byte("\n")
	carriage = []byte("\r")
	version  = []byte("HTTP/1.")
)

// requestLine is the first line of a request: RFC 9112, section 3.
type requestLine struct {
	method, target []byte
	// version is "1.0" or "1.1"; empty where it was not captured.
	version string
	// cut is true where the target may go on beyond what was captured.
	cut bool
}

// whole tells whether the line was read to its end.
func (l requestLine) whole() bool { return len(l.target) > 0 && !l.cut }

// parseRequestLine reads line, which has no end of line any more.
func parseRequestLine(line []byte) (requestLine, bool) {
	m := tokenLength(line)
	if m == 0 || m > maxMethod || m == len(line) || line[m] != ' ' {
		return requestLine{}, false
	}
	rest := line[m+1:]
	t := targetLength(rest)
	if t == 0 || t == len(rest) || rest[t] != ' ' {
		return requestLine{}, false
	}
	name, ok := versionName(rest[t+1:])
	return requestLine{method: line[:m], target: rest[:t], version: name}, ok
}

// cutRequestLine reads as much as there is of a request line that classifyRequest
// said Yes to.
func cutRequestLine(line []byte) requestLine {
	method, rest, _ := bytes.Cut(line, space)
	target, v, whole := bytes.Cut(rest, space)
	name, _ := versionName(bytes.TrimSuffix(v, carriage))
	return requestLine{method: method, target: target, version: name, cut: !whole}
}

func versionName(v []byte) (string, bool) {
	if len(v) != len(version)+1 || !bytes.HasPrefix(v, version) {
		return "", false
	}
	switch v[len(version)] {
	case '0':
		return "1.0", true
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		// A higher minor version is read as the highest one known: RFC 9110, section 2.5.
		return "1.1", true
	}
	return "", false
}

// statusLine is "HTTP/1.x SP 3DIGIT": RFC 9112, section 4. The reason phrase
// means nothing.
const statusLineBytes = len("HTTP/1.1 200")

// statusCode returns the status code in the first statusLineBytes of a response.
func statusCode(b []byte) int {
	d := b[statusLineBytes-3:]
	return int(d[0]-'0')*100 + int(d[1]-'0')*10 + int(d[2]-'0')
}

// firstLine returns the first line of b without its end, and what follows; whole
// is false where the line does not end in b.
func firstLine(b []byte) (line, rest []byte, whole bool) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return bytes.TrimSuffix(b, carriage), nil, false
	}
	return bytes.TrimSuffix(b[:end], carriage), b[end+1:], true
}

// isMethod tells whether b is a token (RFC 9110, section 5.6.2) of likely length.
func isMethod(b []byte) bool { return len(b) <= maxMethod && isToken(b) }

func isToken(b []byte) bool { return tokenLength(b) == len(b) }

// tokenLength returns how many of the first bytes of b may be in a token.
func tokenLength(b []byte) int {
	for i, c := range b {
		if !tokenBytes[c] {
			return i
		}
	}
	return len(b)
}

var tokenBytes = func() (t [256]bool) {
	for c := range t {
		t[c] = '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] = true
	}
	return t
}()

// isTarget tells whether b may be (part of) a request target. Bytes beyond ASCII
// are not allowed there but do occur.
func isTarget(b []byte) bool { return targetLength(b) == len(b) }

// targetLength returns how many of the first bytes of b may be in a request target.
func targetLength(b []byte) int {
	for i, c := range b {
		if c <= ' ' || c == 0x7f {
			return i
		}
	}
	return len(b)
}
