package http2

import (
	"encoding/binary"
	"strings"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// Classify implements protocol.Protocol: a connection begins with the client's preface. One that is
// older than the collector is recognised by frames that follow each other, of which one
// at least says more than its header does.
func (*Protocol) Classify(prefix []byte) protocol.Verdict {
	if len(prefix) > 0 && prefix[0] == preface[0] {
		switch text := string(prefix[:min(len(prefix), len(preface))]); {
		case text == preface:
			return protocol.Yes
		case strings.HasPrefix(preface, text):
			return protocol.Maybe
		}
		return protocol.No
	}
	return classifyFrames(prefix)
}

// classifyFrames reports whether b begins with frames, up to its end. Of frames that say little there must
// be several, or one that ends where b does.
func classifyFrames(b []byte) protocol.Verdict {
	const enough = 2
	telling := 0
	for {
		if len(b) < headerSize {
			switch {
			case !mayBegin(b):
				return protocol.No
			case telling >= enough, telling > 0 && len(b) == 0:
				return protocol.Yes
			}
			return protocol.Maybe
		}
		f := readFrame(b)
		if !f.strictlyValid(b) {
			return protocol.No
		}
		b = b[headerSize:]
		n := min(int(f.length), len(b))
		says := f.says(b[:n])
		if says == protocol.No {
			return protocol.No
		}
		if says == protocol.Yes {
			telling++
			if f.kind == frameHeaders || f.kind == frameSettings || f.kind == frameData {
				telling = enough
			}
		}
		b = b[n:]
	}
}

// mayBegin reports whether b, shorter than a frame's header, may begin with one.
func mayBegin(b []byte) bool {
	if len(b) >= 3 && uint32(b[0])<<16|uint32(b[1])<<8|uint32(b[2]) > usualSize {
		return false
	}
	if len(b) >= 1 && b[0] != 0 {
		return false
	}
	if len(b) >= 4 && kind(b[3]) >= kinds {
		return false
	}
	return len(b) < 5 || b[4]&^allowed[b[3]] == 0
}

// strictlyValid reports whether f, whose bytes are at the beginning of b, is such as is
// sent without anything unusual having been agreed upon.
func (f frame) strictlyValid(b []byte) bool {
	return mayBegin(b[:5]) && b[5]&0x80 == 0 && f.valid() &&
		(f.stream%2 == 1 || f.stream == 0) // streams of clients are odd: section 5.1.1
}

// says looks into a frame's payload, as far as it is there: Yes that it is one.
func (f frame) says(payload []byte) protocol.Verdict {
	if whole := len(payload) == int(f.length); !whole && f.kind != frameHeaders && f.kind != frameData {
		return protocol.Maybe
	}
	switch f.kind {
	case frameSettings:
		return saysSettings(payload)
	case frameWindowUpdate:
		if n := binary.BigEndian.Uint32(payload); n == 0 || n > 1<<31-1 {
			return protocol.No
		}
		return protocol.Yes
	case frameReset:
		if binary.BigEndian.Uint32(payload) >= uint32(len(codes)) {
			return protocol.No
		}
		return protocol.Yes
	case framePing:
		return protocol.Yes
	case frameHeaders:
		return saysFields(f, payload)
	case frameData:
		return saysMessage(f, payload)
	}
	return protocol.Maybe
}

// saysSettings looks at settings: RFC 9113, section 6.5.2, and its registry. An empty
// frame says nothing.
func saysSettings(payload []byte) protocol.Verdict {
	const registered = 16
	if len(payload) == 0 {
		return protocol.Maybe
	}
	for ; len(payload) > 0; payload = payload[6:] {
		if id := binary.BigEndian.Uint16(payload); id == 0 || id > registered {
			return protocol.No
		}
	}
	return protocol.Yes
}

// saysFields looks for pseudo header fields, whose names are in the static table in any case, and come first
// in a request or response. Of a block that is cut three must be seen.
func saysFields(f frame, payload []byte) protocol.Verdict {
	block := f.fragment(payload)
	if len(block) == 0 {
		return protocol.Maybe
	}
	t := table{}
	pseudo, regular, wrong := 0, 0, false
	whole := len(payload) == int(f.length)
	ok := t.read(block, !whole || !f.has(flagEndHeaders), func(name, value string) {
		switch {
		case name == ":status":
			pseudo += 2
			wrong = wrong || len(value) != 3 || regular > 0
		case strings.HasPrefix(name, ":"):
			pseudo++
			wrong = wrong || regular > 0
		case name != "":
			regular++
		}
	})
	switch {
	case !ok || wrong:
		return protocol.No
	case pseudo >= 3 || pseudo == 2 && whole:
		return protocol.Yes
	}
	return protocol.Maybe // trailers, or what was not seen is referred to
}

// saysMessage looks whether a gRPC message fills the frame.
func saysMessage(f frame, payload []byte) protocol.Verdict {
	if len(payload) == int(f.length) && f.isMessage(payload) {
		return protocol.Yes
	}
	return protocol.Maybe
}
