package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/batchcodec"
	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/slicestore"
)

type batchKey = slicestore.Key

// batch is one stored value: spans that were stored together and leave together.
type batch struct {
	key     batchKey
	arrival time.Time
	// spans are the handles of the batch's spans in the order of the stored ones,
	// until it left.
	spans []handle
	// segments are those that the batch's spans belong to, from then on.
	segments []handle
	// published is when the names of this batch's spans were fixed; zero before.
	published time.Time
	// emitted is set when the next consumer took the batch while one before it waits.
	emitted bool
	// recorded tells whether a record of these names is stored.
	recorded bool
}

// request is a part of what a sender sent: at most maxRequestBytes, unless a single
// span is larger.
type request struct {
	spans []arrival
	// data has the encoded spans. Such data can be put one behind the other: together
	// it has all spans.
	data []byte
	// size is that of the spans in protobuf, in bytes, about: what bounds are for.
	size int
}

// newRequests encodes td into requests of at most about maxBytes each. A span that
// alone is larger than maxBytes is a request of its own.
func newRequests(td ptrace.Traces, maxBytes int) ([]*request, error) {
	r, err := newRequest(td)
	if err != nil || len(r.spans) == 0 {
		return nil, err
	}
	if r.size <= maxBytes {
		return []*request{r}, nil
	}
	var requests []*request
	for _, part := range split(td, maxBytes) {
		r, err := newRequest(part)
		if err != nil {
			return nil, err
		}
		requests = append(requests, r)
	}
	return requests, nil
}

func newRequest(td ptrace.Traces) (*request, error) {
	data, size, err := batchcodec.Append(nil, td)
	if err != nil {
		return nil, err
	}
	return &request{spans: readSpans(spansPool.get(), td), data: data, size: size}, nil
}

// free lets the memory of r be used again.
func (r *request) free() {
	spansPool.put(r.spans)
	r.spans = nil
}
