// Package loss names everything the receiver can fail to see or had to throw
// away, and counts it. Whatever is dropped anywhere in the receiver is counted
// here under exactly one reason, so that nothing is lost silently.
package loss

import "sync/atomic"

// Reason says why something was lost. Its String is the value of the `reason`
// attribute of the receiver's otelcol_ebpf_span_losses metric.
type Reason uint8

// The reasons, in the order of the data's way through the receiver.
const (
	// RingBufferFull counts kernel events that found no room in the ring buffer.
	RingBufferFull Reason = iota
	// ThreadTableFull counts system calls whose entry could not be remembered.
	ThreadTableFull
	// PayloadUnreadable counts kernel events whose payload could not be copied
	// from the process's memory; sizes and places are still right.
	PayloadUnreadable
	// IdentityUnstable counts kernel events of connections whose identity is not
	// known: their sequence numbers did not hold still long enough to be read, or
	// they were first seen when this end had closed its direction already.
	IdentityUnstable
	// EventMalformed counts kernel or recorded events that could not be decoded.
	EventMalformed
	// ProcessTableFull counts processes that could not be put into the kernel's
	// selection table.
	ProcessTableFull
	// IOUringUnseen counts transfers over sockets that went through io_uring where only
	// system calls are seen.
	IOUringUnseen
	// DatagramsUnseen counts datagrams that were moved by one system call with so many that
	// only the first ones were looked at.
	DatagramsUnseen
	// ProgramMissed counts the times a program was left out by the kernel, because one
	// ran on the same processor already or too many threads were in a function.
	ProgramMissed
	// ProbeFailed counts uprobes that could not be attached to a process.
	ProbeFailed
	// ConnectionTableFull counts connections forgotten because too many were open.
	ConnectionTableFull
	// StreamGap counts messages lost because bytes before or inside their head
	// were never seen.
	StreamGap
	// HeadTooLong counts messages whose head is longer than the captured payload;
	// their end is guessed from the next message, the close or a pause.
	HeadTooLong
	// MalformedMessage counts messages that are not valid in their protocol.
	MalformedMessage
	// ProtocolUnknown counts connections that no protocol recognised.
	ProtocolUnknown
	// Encrypted counts connections that turned to encryption or compression, where nothing can be read.
	Encrypted
	// PipelineFull counts requests dropped because too many were waiting for an
	// answer on one connection.
	PipelineFull
	// ExchangeTableFull counts exchanges whose parent was given up because too
	// many were waiting for a decision.
	ExchangeTableFull
	// CausalityCrowded counts calls whose parent was not looked for by the statistical
	// rung because too many requests were open around them.
	CausalityCrowded
	// CausalityOverloaded counts calls whose parent was not looked for because the
	// statistical rung had spent its time of processors.
	CausalityOverloaded
	// ConsumerRefused counts spans that the next consumer refused for good.
	ConsumerRefused

	reasons
)

var names = [reasons]string{
	RingBufferFull:      "ring_buffer_full",
	ThreadTableFull:     "thread_table_full",
	PayloadUnreadable:   "payload_unreadable",
	IdentityUnstable:    "identity_unstable",
	EventMalformed:      "event_malformed",
	ProcessTableFull:    "process_table_full",
	IOUringUnseen:       "io_uring_unseen",
	DatagramsUnseen:     "datagrams_unseen",
	ProgramMissed:       "program_missed",
	ProbeFailed:         "probe_failed",
	ConnectionTableFull: "connection_table_full",
	StreamGap:           "stream_gap",
	HeadTooLong:         "head_too_long",
	MalformedMessage:    "malformed_message",
	ProtocolUnknown:     "protocol_unknown",
	Encrypted:           "encrypted",
	PipelineFull:        "pipeline_full",
	ExchangeTableFull:   "exchange_table_full",
	CausalityCrowded:    "causality_crowded",
	CausalityOverloaded: "causality_overloaded",
	ConsumerRefused:     "consumer_refused",
}

// String returns the reason as it appears in telemetry.
func (r Reason) String() string { return names[r] }

// Counts counts losses by reason. Its zero value is ready for use, and its
// methods may be called from any goroutine.
type Counts struct {
	n [reasons]atomic.Int64
}

// Add counts n more losses for reason r.
func (c *Counts) Add(r Reason, n int64) { c.n[r].Add(n) }

// Get returns what was counted for reason r so far.
func (c *Counts) Get(r Reason) int64 { return c.n[r].Load() }

// Each calls f for every reason, counted or not.
func (c *Counts) Each(f func(r Reason, n int64)) {
	for r := range reasons {
		f(r, c.n[r].Load())
	}
}
