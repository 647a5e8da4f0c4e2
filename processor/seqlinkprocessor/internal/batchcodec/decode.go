package batchcodec

import (
	"encoding/binary"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// reader reads values off the front of data. After a value that is not there, bad is
// true and every further value zero.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

// bytes returns the next n bytes, nil where there are fewer.
func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.bad, r.data = true, nil
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) section() []byte { return r.bytes(r.uvarint()) }

// skipSpan passes over a span's attributes, and tells whether it has any here.
func (r *reader) skipSpan() bool {
	n := r.uvarint()
	for i := uint64(1); i < n && !r.bad; i++ {
		switch kind(r.uvarint() & (1<<kindBits - 1)) {
		case kindStr:
			r.uvarint()
		case kindInt:
			r.varint()
		case kindDouble:
			r.bytes(8)
		case kindBool:
			r.bytes(1)
		}
	}
	return n > 0
}

// decoder fills the attributes of one part in.
type decoder struct {
	strings    []string
	attributes reader
}

// readStrings reads the dictionary. All its strings share one allocation.
func (d *decoder) readStrings(lengths, text []byte) bool {
	r, all := reader{data: lengths}, string(text)
	d.strings = make([]string, 0, min(len(lengths), len(text)+1))
	for len(r.data) > 0 {
		n := r.uvarint()
		if n > uint64(len(all)) {
			return false
		}
		d.strings = append(d.strings, all[:n])
		all = all[n:]
	}
	return !r.bad && all == ""
}

// fill gives every span of td its attributes.
func (d *decoder) fill(td ptrace.Traces) bool {
	return eachSpan(td, d.fillSpan) && len(d.attributes.data) == 0
}

func (d *decoder) fillSpan(m pcommon.Map) bool {
	n := d.attributes.uvarint()
	if d.attributes.bad || n > maxAttributes+1 {
		return false
	}
	if n == 0 {
		return true
	}
	m.EnsureCapacity(int(n - 1))
	for range n - 1 {
		if !d.fillOne(m) {
			return false
		}
	}
	return true
}

func (d *decoder) fillOne(m pcommon.Map) bool {
	tag := d.attributes.uvarint()
	key, ok := d.string(tag >> kindBits)
	if !ok {
		return false
	}
	switch kind(tag & (1<<kindBits - 1)) {
	case kindStr:
		value, ok := d.string(d.attributes.uvarint())
		if !ok {
			return false
		}
		m.PutStr(key, value)
	case kindInt:
		m.PutInt(key, d.attributes.varint())
	case kindDouble:
		b := d.attributes.bytes(8)
		if b == nil {
			return false
		}
		m.PutDouble(key, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	case kindBool:
		b := d.attributes.bytes(1)
		if b == nil {
			return false
		}
		m.PutBool(key, b[0] != 0)
	}
	return !d.attributes.bad
}

// string returns the string at a place of the dictionary.
func (d *decoder) string(place uint64) (string, bool) {
	if d.attributes.bad || place >= uint64(len(d.strings)) {
		return "", false
	}
	return d.strings[place], true
}
