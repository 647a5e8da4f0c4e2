package http1

import (
	"bytes"
	"math"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/propagation"
)

// framing says how the end of a body is found: RFC 9112, section 6.3.
type framing uint8

const (
	noBody framing = iota
	byLength
	byChunks
	byClose
	// notHTTP: a CONNECT or Upgrade succeeded, what follows is another protocol.
	notHTTP
	// malformed: the fields contradict themselves.
	malformed
)

// headers are the fields that the parser itself needs.
type headers struct {
	host, agent []byte
	// length is Content-Length, -1 where there is none; badLength says that it is
	// no number or several.
	length    int64
	badLength bool
	// coded says that there is a Transfer-Encoding, chunked that its last coding
	// is that.
	coded, chunked bool
}

// initials are the bytes with which the names of fields begin that the parser needs, contextInitials those of
// the fields that may carry trace contexts as well.
var (
	initials        = initialsOf("Hh", "Uu", "Cc", "Tt")
	contextInitials = initialsOf(append(propagation.Initials(), "Hh", "Uu", "Cc", "Tt")...)
)

func initialsOf(all ...string) (t [256]bool) {
	for _, text := range all {
		for _, c := range []byte(text) {
			t[c] = true
		}
	}
	return t
}

// readFields reads the fields with which b begins: RFC 9112, section 5. end is the offset after the empty line behind
// them, -1 where that is not there; a line that is not whole is then left out. Where contexts is
// not nil, it takes the fields that may carry trace contexts.
func readFields(b []byte, contexts *contextFields) (h headers, end int) {
	h.length = -1
	wanted := &initials
	if contexts != nil {
		wanted = &contextInitials
	}
	for i := 0; i < len(b); {
		if n := emptyLine(b[i:]); n > 0 {
			return h, i + n
		}
		n := fieldLine(b[i:])
		if n == 0 {
			break
		}
		line := b[i : i+n]
		i += n
		if !wanted[line[0]] {
			continue
		}
		if field := fieldOf(line); !h.add(field) && contexts != nil && propagation.Relevant(field.name) {
			*contexts = append(*contexts, field)
		}
	}
	return h, -1
}

// add reads a field, and reports whether it is one that the parser needs.
func (h *headers) add(f field) bool {
	switch {
	case is(f.name, "host"):
		h.host = f.value()
	case is(f.name, "user-agent"):
		h.agent = f.value()
	case is(f.name, "content-length"):
		h.addLength(f.value())
	case is(f.name, "transfer-encoding"):
		h.coded, h.chunked = true, endsChunked(f.value())
	default:
		return false
	}
	return true
}

// addLength reads one Content-Length field, which may be a list of equal numbers.
func (h *headers) addLength(value []byte) {
	for part := range bytes.SplitSeq(value, []byte(",")) {
		n, ok := decimal(bytes.Trim(part, " \t"))
		if !ok || h.length >= 0 && h.length != n {
			h.badLength = true
		}
		h.length = n
	}
}

// decimal reads a number of digits only that fits an int64.
func decimal(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || n > (math.MaxInt64-9)/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0
}

func endsChunked(codings []byte) bool {
	last := codings[bytes.LastIndexByte(codings, ',')+1:]
	return bytes.EqualFold(bytes.Trim(last, " \t\r\n"), []byte("chunked"))
}

// ofRequest returns the framing of a request's body.
func (h *headers) ofRequest() framing {
	switch {
	case h.chunked:
		return byChunks
	case h.coded || h.badLength:
		return malformed
	case h.length > 0:
		return byLength
	}
	return noBody
}

// ofResponse returns the framing of the body of a response to method.
func (h *headers) ofResponse(method string, status int) framing {
	switch {
	case status == 101 || method == "CONNECT" && status/100 == 2:
		return notHTTP
	case method == "HEAD" || status/100 == 1 || status == 204 || status == 304:
		return noBody
	case h.chunked:
		return byChunks
	case h.coded:
		return byClose
	case h.badLength:
		return malformed
	case h.length > 0:
		return byLength
	case h.length == 0:
		return noBody
	}
	return byClose
}
