package mysql

import (
	"bytes"
	"encoding/binary"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

const (
	// protocolVersion begins a server's greeting.
	protocolVersion = 10
	// maxLogin is how long a client's first packet is believed to be.
	maxLogin = 1 << 16
	// maxGreeting is the same for the server's.
	maxGreeting = 1 << 10
)

// Classify implements protocol.Protocol: a connection is recognised by the server's greeting, the
// client's answer to it, or a command with a statement.
func (*Protocol) Classify(prefix []byte) protocol.Verdict { return classify(prefix) }

func classify(b []byte) protocol.Verdict {
	if len(b) < headerSize {
		return protocol.Maybe
	}
	length, number, body := lengthOf(b), b[3], b[headerSize:]
	if length == 0 || number > 1 {
		return protocol.No
	}
	if len(body) == 0 {
		return protocol.Maybe // servers read the header alone
	}
	next := []byte(nil)
	if len(body) > length {
		body, next = body[:length], body[length:]
	}
	if number == 1 {
		return classifyLogin(length, body)
	}
	if len(next) > 3 && next[3] > 1 {
		return protocol.No // of a command nothing follows but another one
	}
	switch body[0] {
	case protocolVersion:
		return classifyGreeting(length, body)
	case comQuery, comPrepare:
		return classifyStatement(length, body)
	case comExecute:
		return classifyExecute(length, body)
	}
	return protocol.No
}

// classifyGreeting judges Protocol::HandshakeV10: a version, the connection's number, and random
// bytes, behind which there is a zero.
func classifyGreeting(length int, body []byte) protocol.Verdict {
	const random = 4 + 8
	end := bytes.IndexByte(body, 0)
	switch {
	case length > maxGreeting, !isText(body[1:max(1, end)]):
		return protocol.No
	case end < 0 || len(body) <= end+1+random:
		return maybe(length, body)
	case end == 1 || body[end+1+random] != 0:
		return protocol.No
	}
	return protocol.Yes
}

// classifyLogin judges Protocol::HandshakeResponse41 and Protocol::SSLRequest, which begins alike.
func classifyLogin(length int, body []byte) protocol.Verdict {
	// MariaDB has more capabilities in the last four of the bytes that are kept for later.
	const later, end = 9, 28
	switch {
	case length < loginHead || length > maxLogin:
		return protocol.No
	case len(body) < end:
		return maybe(length, body)
	case binary.LittleEndian.Uint32(body)&capabilityProtocol41 == 0, len(bytes.Trim(body[later:end], "\x00")) > 0:
		return protocol.No
	}
	return protocol.Yes
}

// classifyStatement judges a command that has a statement's text.
func classifyStatement(length int, body []byte) protocol.Verdict {
	const telling = 4
	if len(body) < 3 {
		return maybe(length, body)
	}
	statement := statementIn(body)
	switch {
	case !isText(statement), len(statement) > 0 && !beginsStatement(statement[0]):
		return protocol.No
	case len(statement) < telling:
		return maybe(length, body)
	}
	return protocol.Yes
}

// classifyExecute judges the command that executes what was prepared: it has a number, flags and a count that is one.
func classifyExecute(length int, body []byte) protocol.Verdict {
	const head, flags = 10, 5
	switch {
	case length < head:
		return protocol.No
	case len(body) < head:
		return maybe(length, body)
	case body[flags] > 0x0f, binary.LittleEndian.Uint32(body[flags+1:]) != 1:
		return protocol.No
	}
	return protocol.Yes
}

// maybe is said of a packet of which too little is there.
func maybe(length int, body []byte) protocol.Verdict {
	if len(body) >= length {
		return protocol.No
	}
	return protocol.Maybe
}

// beginsStatement reports whether c may be a statement's first character.
func beginsStatement(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || bytes.IndexByte([]byte(" \t\n\r(/-#"), c) >= 0
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
