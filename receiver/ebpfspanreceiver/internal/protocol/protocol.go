package protocol

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

// Verdict is what a protocol says of a stream's first bytes.
type Verdict uint8

// The verdicts.
const (
	// No: these bytes cannot begin a message of the protocol.
	No Verdict = iota
	// Maybe: too few bytes to tell.
	Maybe
	// Yes: a message of the protocol begins here.
	Yes
)

// Protocol is what a protocol package registers.
type Protocol interface {
	// Name is the protocol's name in logs and telemetry.
	Name() string
	// Classify looks at the first bytes of a turn.
	Classify(prefix []byte) Verdict
	// NewParser makes the parser of one connection. What it finds goes to sink.
	NewParser(c *conn.Conn, sink Sink) Parser
}

// Parser follows one connection of its protocol. Segments begin with the one
// whose bytes Classify said Yes to, earlier bytes of the same turn included.
type Parser interface {
	Segment(s *conn.Segment)
	// End is conn.Handler's End for this connection. After both directions ended,
	// every exchange must have had its phase Ended.
	End(d conn.Direction, cause conn.Cause, at conn.Origin)
	// Tick says that the time is now, in nanoseconds since the Unix epoch.
	Tick(now int64)
}

// Multiplexed is a Parser of a protocol whose requests are streams of one connection,
// which other tasks than those that deal with them may read and write.
type Multiplexed interface {
	Parser
	// Asked says who asks for a stream that will be written.
	Asked(stream uint32, by conn.Origin)
	// Taken says who begins to work on a stream that was read.
	Taken(stream uint32, by conn.Origin)
}
