// Package batchcodec turns spans into bytes and back for the store. The attributes of
// spans, which repeat from span to span, are written with a dictionary of strings and
// the rest as OTLP protobuf: reading allocates each string once for a batch, where
// protobuf allocates every key and value of every span.
//
// A batch is one part behind the other, so that parts can be put together without
// being decoded. A part is a byte with the format and four sections: the lengths of
// the strings, the strings, the attributes, and a protobuf TracesData without them.
// Each section has its length before it, as a varint. The attributes section has for
// each span, in order, 0 where its attributes are in the protobuf, or their number plus
// one; then for each a varint, which is the key's place in the dictionary times four
// plus its kind, and the value.
package batchcodec

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// format is the first byte of a part. A part of an older version is a whole batch in
// protobuf and begins with protobufTag.
const (
	format      = 0x01
	protobufTag = 0x0a // of TracesData.resource_spans
)

// kind is how an attribute's value is written: a string's place in the dictionary, a
// zigzag varint, eight bytes, or one.
type kind uint64

const (
	kindStr kind = iota
	kindInt
	kindDouble
	kindBool

	kindBits = 2
)

// maxAttributes is how many attributes of a span are written with the dictionary; a
// span with more is left to protobuf, because reading searches them one by one.
const maxAttributes = 128

// errDamaged says that bytes are no batch.
var errDamaged = errors.New("the stored spans are damaged")

// Append appends a part with the spans of td, which it leaves as it was, to data. It
// also returns the size of the spans in protobuf, in bytes, about: what is written may
// be far smaller.
func Append(data []byte, td ptrace.Traces) (_ []byte, size int, err error) {
	e := encoders.Get().(*encoder)
	defer e.free()
	e.takeAttributes(td)
	rest, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	e.giveBack(td)
	if err != nil {
		return nil, 0, fmt.Errorf("marshal spans: %w", err)
	}
	size = len(rest) + e.size
	data = append(data, format)
	data = appendSection(data, e.strings.lengths)
	data = appendSection(data, e.strings.text)
	data = appendSection(data, e.attributes)
	return appendSection(data, rest), size, nil
}

func appendSection(data, section []byte) []byte {
	return append(binary.AppendUvarint(data, uint64(len(section))), section...)
}

// Decode returns the spans of all parts in data, which it does not refer to afterwards.
func Decode(data []byte) (ptrace.Traces, error) {
	if len(data) > 0 && data[0] == protobufTag {
		return unmarshal(data)
	}
	all := ptrace.NewTraces()
	for len(data) > 0 {
		if data[0] != format {
			return all, fmt.Errorf("%w: unknown format %#x", errDamaged, data[0])
		}
		r := reader{data: data[1:]}
		td, err := decodePart(&r)
		if err != nil {
			return all, err
		}
		td.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
		data = r.data
	}
	return all, nil
}

func decodePart(r *reader) (ptrace.Traces, error) {
	lengths, text, attributes, rest := r.section(), r.section(), r.section(), r.section()
	if r.bad {
		return ptrace.Traces{}, fmt.Errorf("%w: a part is cut short", errDamaged)
	}
	d := decoder{attributes: reader{data: attributes}}
	if !d.readStrings(lengths, text) {
		return ptrace.Traces{}, fmt.Errorf("%w: its dictionary", errDamaged)
	}
	td, err := unmarshal(rest)
	if err == nil && !d.fill(td) {
		err = fmt.Errorf("%w: its attributes", errDamaged)
	}
	return td, err
}

func unmarshal(data []byte) (ptrace.Traces, error) {
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
	if err != nil {
		return td, fmt.Errorf("unmarshal spans: %w", err)
	}
	return td, nil
}

// eachSpan calls f with the attributes of every span, in order, until it returns false.
func eachSpan(td ptrace.Traces, f func(pcommon.Map) bool) bool {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, ps := range ss.Spans().All() {
				if !f(ps.Attributes()) {
					return false
				}
			}
		}
	}
	return true
}
