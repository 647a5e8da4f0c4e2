package redis

import (
	"bytes"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// answers are those that other protocols do not give. A command that is one line of text
// could be anybody's (memcached's, NATS'), so such a connection is told by its answers.
var answers = [][]byte{
	[]byte("+PONG\r\n"), []byte("+QUEUED\r\n"), []byte("-NOAUTH "), []byte("-WRONGTYPE "), []byte("-MOVED "), []byte("-LOADING "),
}

// Classify implements protocol.Protocol.
func (*Protocol) Classify(prefix []byte) protocol.Verdict {
	if len(prefix) > 0 && prefix[0] == '*' {
		return classifyCommand(prefix)
	}
	verdict := protocol.No
	for _, a := range answers {
		switch {
		case bytes.HasPrefix(prefix, a):
			return protocol.Yes
		case bytes.HasPrefix(a, prefix):
			verdict = protocol.Maybe
		}
	}
	return verdict
}

// classifyCommand tells whether b begins an array of bulk strings, the first of which
// names a command.
func classifyCommand(b []byte) protocol.Verdict {
	count, rest, v := classifyHeader(b, '*')
	if v != protocol.Yes {
		return v
	}
	if count == 0 {
		return protocol.No
	}
	size, rest, v := classifyHeader(rest, '$')
	if v != protocol.Yes {
		return v
	}
	if size == 0 || size > longestName {
		return protocol.No
	}
	name := rest[:min(uint64(len(rest)), size)]
	switch {
	case !isName(name) && len(name) > 0:
		return protocol.No
	case uint64(len(name)) < size:
		return protocol.Maybe
	}
	if _, known := commands[upper(name)]; !known {
		return protocol.No
	}
	end := rest[size:]
	switch {
	case !bytes.HasPrefix(end, crlf) && !bytes.HasPrefix(crlf, end):
		return protocol.No
	case len(end) < len(crlf):
		return protocol.Maybe
	}
	return protocol.Yes
}

// classifyHeader reads a header that begins with kind, and a number.
func classifyHeader(b []byte, kind byte) (n uint64, rest []byte, v protocol.Verdict) {
	const digits = 10
	if len(b) == 0 {
		return 0, nil, protocol.Maybe
	}
	if b[0] != kind {
		return 0, nil, protocol.No
	}
	for i, c := range b[1:] {
		switch {
		case '0' <= c && c <= '9' && i < digits:
			n = n*10 + uint64(c-'0')
		case c == '\r' && i > 0 && len(b) == i+2:
			return 0, nil, protocol.Maybe
		case c == '\r' && i > 0 && b[i+2] == '\n':
			return n, b[i+3:], protocol.Yes
		default:
			return 0, nil, protocol.No
		}
	}
	return 0, nil, protocol.Maybe
}
