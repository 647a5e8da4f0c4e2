package postgresql

import (
	"bytes"
	"encoding/binary"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// The codes of messages without a type: src/include/libpq/pqcomm.h.
const (
	codeCancel  = 80877102
	codeSSL     = 80877103
	codeGSS     = 80877104
	majorNumber = 3
)

const (
	// maxStartup is the longest message without a type (MAX_STARTUP_PACKET_LENGTH).
	maxStartup = 10000
	// maxLength is a length that is not believed in, as that and larger ones are letters.
	maxLength = 1 << 30
	// typed and untyped are the sizes of headers with a type and without.
	typed, untyped = 5, 4
)

// frontendKinds and backendKinds are the types of messages.
var (
	frontendKinds = []byte("BCDEFHPQSXcdfp")
	backendKinds  = []byte("123ACDEGHIKNRSTVWZcdnstv")
)

// Classify implements protocol.Protocol: only what the frontend sends begins a request.
func (*Protocol) Classify(prefix []byte) protocol.Verdict { return classify(prefix) }

func classify(b []byte) protocol.Verdict {
	switch {
	case len(b) == 0:
		return protocol.Maybe
	case b[0] == 0:
		return classifyStartup(b)
	case b[0] == 'Q' || b[0] == 'P' || b[0] == 'B':
		return classifyTyped(b)
	}
	return protocol.No
}

// classifyStartup judges a message without a type, by its length and code.
func classifyStartup(b []byte) protocol.Verdict {
	if len(b) < 2*untyped {
		if len(b) > 1 && b[1] != 0 {
			return protocol.No
		}
		if len(b) >= untyped && !isStartupLength(b) {
			return protocol.No
		}
		return protocol.Maybe
	}
	if !isStartupLength(b) {
		return protocol.No
	}
	length, code := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[untyped:])
	switch {
	case code == codeSSL && length == 8, code == codeGSS && length == 8, code == codeCancel && length >= 16,
		code>>16 == majorNumber && length > 8 && code&0xffff < 100:
		return protocol.Yes
	}
	return protocol.No
}

func isStartupLength(b []byte) bool {
	n := binary.BigEndian.Uint32(b)
	return n >= 2*untyped && n <= maxStartup
}

// classifyTyped judges a message that begins a request by its length and what must be
// in it, and by the header of the next one where that was captured.
func classifyTyped(b []byte) protocol.Verdict {
	if len(b) < typed {
		if len(b) > 1 && b[1] >= maxLength>>24 {
			return protocol.No
		}
		return protocol.Maybe
	}
	length := binary.BigEndian.Uint32(b[1:])
	if length < untyped+2 || length >= maxLength {
		return protocol.No
	}
	body := b[typed:]
	size := int(length) - untyped
	whole := len(body) >= size
	if whole {
		return classifyNext(b[0], body[:size], body[size:])
	}
	return classifyBody(b[0], body)
}

// classifyNext judges a message of which all was captured, and what follows it.
func classifyNext(kind byte, body, next []byte) protocol.Verdict {
	if kind == 'Q' && body[len(body)-1] != 0 || classifyBody(kind, body) == protocol.No {
		return protocol.No
	}
	switch {
	case kind == 'P' && bytes.Count(body, []byte{0}) < 2, kind == 'B' && bytes.Count(body, []byte{0}) < 2:
		return protocol.No
	case len(next) > 0 && bytes.IndexByte(frontendKinds, next[0]) < 0:
		return protocol.No
	case kind == 'B' && len(next) == 0:
		return protocol.Maybe
	}
	return protocol.Yes
}

// classifyBody judges by the beginning of a message: a statement's text, or names.
func classifyBody(kind byte, body []byte) protocol.Verdict {
	if kind == 'B' {
		if !isText(body[:min(len(body), nul(body))]) {
			return protocol.No
		}
		return protocol.Maybe
	}
	if kind == 'P' {
		n := nul(body)
		if !isText(body[:n]) {
			return protocol.No
		}
		body = body[min(len(body), n+1):]
	}
	const telling = 4
	text := body[:nul(body)]
	switch {
	case !isText(text):
		return protocol.No
	case len(text) < telling && len(text) == len(body):
		return protocol.Maybe
	}
	return protocol.Yes
}

// nul returns where the text in b ends.
func nul(b []byte) int {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return i
	}
	return len(b)
}

// isText reports whether b has no control characters but white space.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' || c == 0x7f {
			return false
		}
	}
	return true
}
