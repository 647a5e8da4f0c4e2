package batchcodec

import (
	"encoding/binary"
	"math"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// encoder writes the attributes of one part.
type encoder struct {
	strings    dictionary
	attributes []byte
	// aside has the attributes that were taken out of spans, taken their number.
	aside []pcommon.Map
	taken int
	// spans counts the spans so far, the current one included.
	spans uint32
	// size is what the attributes would take in protobuf, in bytes, about.
	size int
}

var encoders = sync.Pool{New: func() any { return &encoder{strings: newDictionary()} }}

// maxPooled is the size, in bytes, up to which the memory of an encoder is kept.
const maxPooled = 4 << 20

func (e *encoder) free() {
	if cap(e.attributes)+cap(e.strings.text) > maxPooled {
		return
	}
	e.strings.reset()
	e.attributes, e.taken, e.spans, e.size = e.attributes[:0], 0, 0, 0
	encoders.Put(e)
}

// takeAttributes writes the attributes of all spans, and takes those out of td that
// could be written.
func (e *encoder) takeAttributes(td ptrace.Traces) {
	eachSpan(td, func(m pcommon.Map) bool {
		e.spans++
		if m.Len() > 0 && e.write(m) {
			m.MoveTo(e.next())
		} else {
			e.attributes = append(e.attributes, 0)
		}
		return true
	})
}

// next returns an empty map to put attributes aside.
func (e *encoder) next() pcommon.Map {
	if e.taken == len(e.aside) {
		e.aside = append(e.aside, pcommon.NewMap())
	}
	e.taken++
	return e.aside[e.taken-1]
}

// giveBack puts the attributes back that were taken out. A span has none in td exactly
// where they were taken, or where it never had any.
func (e *encoder) giveBack(td ptrace.Traces) {
	at, r := 0, reader{data: e.attributes}
	eachSpan(td, func(m pcommon.Map) bool {
		if r.skipSpan() {
			e.aside[at].MoveTo(m)
			at++
		}
		return true
	})
}

// write writes the attributes of a span, or nothing where there are too many, a key
// comes twice, or a value is none that a string or number can stand for.
func (e *encoder) write(m pcommon.Map) bool {
	if m.Len() > maxAttributes {
		return false
	}
	begin, size := len(e.attributes), e.size
	e.attributes = binary.AppendUvarint(e.attributes, uint64(m.Len())+1)
	for key, value := range m.All() {
		if !e.writeOne(key, value) {
			e.attributes, e.size = e.attributes[:begin], size
			return false
		}
	}
	return true
}

// overhead is what an attribute takes in protobuf beside its strings, in bytes, about.
const overhead = 12

func (e *encoder) writeOne(key string, value pcommon.Value) bool {
	e.size += len(key) + overhead
	at := e.strings.place(key)
	if e.strings.usedBy[at] == e.spans {
		return false
	}
	e.strings.usedBy[at] = e.spans
	tag := uint64(at) << kindBits
	switch value.Type() {
	case pcommon.ValueTypeStr:
		e.size += len(value.Str())
		e.attributes = binary.AppendUvarint(e.attributes, tag|uint64(kindStr))
		e.attributes = binary.AppendUvarint(e.attributes, uint64(e.strings.place(value.Str())))
	case pcommon.ValueTypeInt:
		e.attributes = binary.AppendUvarint(e.attributes, tag|uint64(kindInt))
		e.attributes = binary.AppendVarint(e.attributes, value.Int())
	case pcommon.ValueTypeDouble:
		e.attributes = binary.AppendUvarint(e.attributes, tag|uint64(kindDouble))
		e.attributes = binary.LittleEndian.AppendUint64(e.attributes, math.Float64bits(value.Double()))
	case pcommon.ValueTypeBool:
		e.attributes = binary.AppendUvarint(e.attributes, tag|uint64(kindBool))
		e.attributes = append(e.attributes, boolByte(value.Bool()))
	default:
		return false
	}
	return true
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}
