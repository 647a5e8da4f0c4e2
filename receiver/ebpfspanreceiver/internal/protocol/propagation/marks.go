package propagation

import (
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// requestIDs are the fields, in lower case, by which proxies and applications name a request
// and pass that name on, though it is no trace context.
var requestIDs = []string{
	"x-request-id",     // Envoy, nginx, HAProxy, Heroku, many frameworks
	"x-correlation-id", // Kong, Spring, many applications
	"request-id",       // ASP.NET Core before W3C
	"x-trace-id",
	"x-unique-id",           // HAProxy's documentation
	"x-cloud-trace-context", // Google's load balancers
}

// shortestID is the length from which on a value is taken for an id: shorter ones are
// numbers of something else, and may come again.
const shortestID = 8

// Marks returns hashes of the ids in a request, the one that names the fewest requests first:
// a span, as who passes a context on unchanged does; a request; a trace. Their values are
// compared, not the names of their fields: one may be read as x-request-id and passed on as
// x-correlation-id, or as b3 and passed on as traceparent.
func Marks(contexts []protocol.TraceContext, f Fields) []uint64 {
	marks := make([]uint64, 0, 2*len(contexts)+1)
	for i := range contexts {
		c := &contexts[i]
		marks = appendMark(marks, append(c.TraceID[:len(c.TraceID):len(c.TraceID)], c.SpanID[:]...))
	}
	for _, name := range requestIDs {
		for _, value := range f.Values(name) {
			if value = trim(value); len(value) >= shortestID {
				marks = appendMark(marks, []byte(strings.ToLower(value)))
			}
		}
	}
	for i := range contexts {
		marks = appendMark(marks, contexts[i].TraceID[:])
	}
	return marks
}

// appendMark adds a mark that is not there yet: a trace may be named in several formats.
func appendMark(marks []uint64, id []byte) []uint64 {
	mark := xxhash.Sum64(id)
	for _, m := range marks {
		if m == mark {
			return marks
		}
	}
	return append(marks, mark)
}
