package span

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// mix derives an id from a key: XXH64 over the key, little-endian, and a label.
// Zero is no id, so it becomes one.
func mix(key uint64, label string) uint64 {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 24), key)
	return max(1, xxhash.Sum64(append(b, label...)))
}

// ID returns the span id of one side of the request with this key.
func ID(key uint64, side protocol.Side) pcommon.SpanID {
	label := "server"
	if side == protocol.Client {
		label = "client"
	}
	var id pcommon.SpanID
	binary.BigEndian.PutUint64(id[:], mix(key, label))
	return id
}

// idOf returns the id of an exchange's span.
func idOf(e *protocol.Exchange) pcommon.SpanID {
	if e.Side == protocol.Server {
		return ID(e.Reception(), protocol.Server)
	}
	return ID(e.Key(), protocol.Client)
}

// TraceID returns the provisional trace id of the segment that begins with the
// given span.
func TraceID(first pcommon.SpanID) pcommon.TraceID {
	key := binary.BigEndian.Uint64(first[:])
	var id pcommon.TraceID
	binary.BigEndian.PutUint64(id[:8], mix(key, "trace-high"))
	binary.BigEndian.PutUint64(id[8:], mix(key, "trace-low"))
	return id
}
