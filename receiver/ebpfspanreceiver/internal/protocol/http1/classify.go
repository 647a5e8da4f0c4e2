package http1

import (
	"bytes"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// classifyRequest tells whether b begins a request.
func classifyRequest(b []byte) protocol.Verdict {
	_, v := readRequestLine(b)
	return v
}

// readRequestLine tells whether b begins a request, and reads its first line where
// that is whole; it must be a valid one then. Of a part of it, a known method and
// the beginning of a target are enough, as more may never be captured.
func readRequestLine(b []byte) (requestLine, protocol.Verdict) {
	if line, _, whole := firstLine(b); whole {
		parsed, ok := parseRequestLine(line)
		return parsed, orNo(ok, protocol.Yes)
	}
	return requestLine{}, classifyPart(b)
}

// classifyPart judges by a part of a request's first line.
func classifyPart(b []byte) protocol.Verdict {
	method, rest, whole := bytes.Cut(b, space)
	if !whole {
		return orNo(isMethod(method), protocol.Maybe)
	}
	target, v, whole := bytes.Cut(rest, space)
	switch {
	case len(method) == 0 || !isMethod(method) || !isTarget(target):
		return protocol.No
	case !whole:
		return classifyTarget(method, target)
	case len(target) == 0 || !bytes.HasPrefix(version, v) && !bytes.HasPrefix(v, version):
		return protocol.No
	case len(v) >= len(version):
		return protocol.Yes
	}
	return classifyTarget(method, target)
}

// classifyTarget judges by a method and the beginning of a target: RFC 9112,
// section 3.2, names the forms.
func classifyTarget(method, target []byte) protocol.Verdict {
	known := KnownMethod(method) != ""
	switch {
	case !known || len(target) == 0:
		return protocol.Maybe
	case target[0] == '/', string(method) == "CONNECT", string(target) == "*":
		return protocol.Yes
	case hasScheme(target, "http://"), hasScheme(target, "https://"):
		return protocol.Yes
	}
	return protocol.Maybe
}

// classifyResponse tells whether b begins a response: RFC 9112, section 4.
func classifyResponse(b []byte) protocol.Verdict {
	const pattern = "HTTP/1.# ###"
	for i := range min(len(b), statusLineBytes) {
		digit := pattern[i] == '#' && '0' <= b[i] && b[i] <= '9'
		if !digit && (b[i] != pattern[i] || pattern[i] == '#') {
			return protocol.No
		}
	}
	if len(b) < statusLineBytes {
		return protocol.Maybe
	}
	return orNo(statusCode(b) >= 100, protocol.Yes)
}

func orNo(ok bool, v protocol.Verdict) protocol.Verdict {
	if ok {
		return v
	}
	return protocol.No
}

// hasScheme tells whether target begins with scheme, which is in lower case.
func hasScheme(target []byte, scheme string) bool {
	return len(target) >= len(scheme) && bytes.EqualFold(target[:len(scheme)], []byte(scheme))
}

// KnownMethod returns method as a string, or "" where it is not one of those that the semantic conventions
// list for http.request.method.
func KnownMethod(method []byte) string {
	switch string(method) {
	case "CONNECT":
		return "CONNECT"
	case "DELETE":
		return "DELETE"
	case "GET":
		return "GET"
	case "HEAD":
		return "HEAD"
	case "OPTIONS":
		return "OPTIONS"
	case "PATCH":
		return "PATCH"
	case "POST":
		return "POST"
	case "PUT":
		return "PUT"
	case "QUERY":
		return "QUERY"
	case "TRACE":
		return "TRACE"
	}
	return ""
}
