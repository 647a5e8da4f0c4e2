package postgresql

import (
	"bytes"
	"encoding/binary"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/packet"
)

// kindOf is the type of a message, 0 where it has none.
func kindOf(st *packet.Stream) byte { return kindIn(st.Header) }

func kindIn(header []byte) byte {
	if len(header) == typed {
		return header[0]
	}
	return 0
}

// HeaderSize implements packet.Handler: the messages that begin a connection have no type, and one byte
// answers a request for encryption.
func (p *parser) HeaderSize(st *packet.Stream, first byte) int {
	switch {
	case p.negotiates(st, first):
		return 0
	case st.IsRequests() && first == 0:
		return untyped
	}
	return typed
}

// ReadHeader implements packet.Handler. The length in it is that of itself and of what follows.
func (*parser) ReadHeader(st *packet.Stream, header []byte) (h packet.Header, ok bool) {
	kind, length := kindIn(header), uint64(binary.BigEndian.Uint32(header[len(header)-untyped:]))
	if !isKnown(st.IsRequests(), kind, length) {
		return h, false
	}
	return packet.Header{Length: length - untyped}, true
}

// isKnown reports whether there is a message of that kind and length.
func isKnown(request bool, kind byte, length uint64) bool {
	kinds := backendKinds
	if request {
		kinds = frontendKinds
		if kind == 0 {
			return length >= 2*untyped && length <= maxStartup
		}
	}
	return length >= untyped && length < maxLength && bytes.IndexByte(kinds, kind) >= 0
}

// Resumes implements packet.Handler: any segment may begin with a request, but only a turn with an answer.
func (p *parser) Resumes(st *packet.Stream, data []byte, turn bool) bool {
	switch {
	case st.IsRequests():
		return classify(data) == protocol.Yes
	case turn && len(data) >= typed && isBackend(data):
		p.overtaken()
		return true
	}
	return false
}

// isBackend reports whether b may begin a message of the backend.
func isBackend(b []byte) bool {
	length := binary.BigEndian.Uint32(b[1:])
	return bytes.IndexByte(backendKinds, b[0]) >= 0 && length >= untyped && length < maxLength
}
