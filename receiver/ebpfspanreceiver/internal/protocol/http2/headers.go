package http2

import (
	"strings"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/propagation"
)

// headers are the fields of a block that are made use of. What is empty was not there, or
// is not known.
type headers struct {
	method, scheme, authority, path string
	status                          string
	agent, contentType              string
	grpcStatus                      string
	contexts                        contextFields
	// request and response say that pseudo fields of such were seen.
	request, response bool
	// unknown says that fields were not known.
	unknown bool
	// cut says that there may be more fields than were read.
	cut bool
}

// maxContexts is how many fields with trace contexts are looked at.
const maxContexts = 32

func (h *headers) take(name, value string) {
	switch name {
	case "":
		h.unknown = true
	case ":method":
		h.method, h.request = value, true
	case ":scheme":
		h.scheme, h.request = value, true
	case ":authority":
		h.authority, h.request = value, true
	case ":path":
		h.path, h.request = value, true
	case ":status":
		h.status, h.response = value, true
	case "user-agent":
		h.agent = value
	case "content-type":
		h.contentType = value
	case "grpc-status":
		h.grpcStatus = value
	default:
		if len(h.contexts) < maxContexts && propagation.Relevant([]byte(name)) {
			h.contexts = append(h.contexts, contextField{name, value})
		}
	}
}

// contextField is a field in which applications pass trace contexts on.
type contextField struct{ name, value string }

type contextFields []contextField

// Values implements propagation.Fields.
func (f contextFields) Values(name string) []string {
	var values []string
	for _, field := range f {
		if strings.EqualFold(field.name, name) {
			values = append(values, line(field.value))
		}
	}
	return values
}

// line makes a text of s that can be exported: valid UTF-8 in one line.
func line(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.ContainsAny(s, "\r\n") {
		s = strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
	}
	return s
}
