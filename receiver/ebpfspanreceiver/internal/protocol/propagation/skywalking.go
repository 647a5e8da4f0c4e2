package propagation

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// SkyWalking reads sw8, {sample}-{trace id}-{parent segment id}-{parent span
// id}-{service}-{instance}-{endpoint}-{address}, whose strings are encoded in
// base64
// (https://skywalking.apache.org/docs/main/next/en/api/x-process-propagation-headers-v3/).
//
// SkyWalking's ids are strings. They are made numbers by the rule of the
// OpenTelemetry Collector's skywalking receiver, so that the spans which come
// through that receiver have the ids found here: functions swTraceIDToTraceID and
// segmentIDToSpanID in pkg/translator/skywalking/skywalkingproto_to_traces.go of
// opentelemetry-collector-contrib. By that rule two spans of one trace can, rarely,
// get the same id.
type SkyWalking struct{}

// Name implements Propagator.
func (SkyWalking) Name() string { return "skywalking" }

// Fields implements Propagator.
func (SkyWalking) Fields() []string {
	return []string{"sw8"}
}

// sw8Parts is the number of parts in an sw8 field.
const sw8Parts = 8

// Extract implements Propagator.
func (SkyWalking) Extract(f Fields) (c protocol.TraceContext, ok bool) {
	value, ok := only(f, "sw8")
	if !ok {
		return c, false
	}
	parts := strings.SplitN(value, "-", sw8Parts)
	if len(parts) != sw8Parts || parts[0] != "0" && parts[0] != "1" {
		return c, false
	}
	c.Decide(parts[0] == "1")
	traceID, err1 := base64.StdEncoding.DecodeString(parts[1])
	segmentID, err2 := base64.StdEncoding.DecodeString(parts[2])
	spanID, err3 := strconv.ParseUint(parts[3], 10, 31)
	if err1 != nil || err2 != nil || err3 != nil {
		return c, false
	}
	return c, swTraceID(&c.TraceID, string(traceID)) && swSpanID(&c.SpanID, string(segmentID), uint32(spanID))
}

// Lengths of a UUID in digits, without and with its dashes.
const (
	uuidDigits = 32
	uuidDashed = 36
)

// swTraceID fills id from a trace id, which is a UUID, with or without dashes, or
// what the Java agent makes (swNumber), and reports whether it is not zero.
func swTraceID(id *[16]byte, s string) bool {
	if digits, ok := withoutDashes(s); ok {
		s = digits
	}
	if len(s) == uuidDigits {
		return hexID(id[:], s)
	}
	// Of anything as short as a UUID that is none, the Collector makes no id.
	return len(s) > uuidDashed && swNumber(id, s, 0) && *id != [16]byte{}
}

// swSpanID fills id from a segment's id and the number of a span in it, and reports
// whether it is not zero: the two halves of swNumber, combined by exclusive or.
//
// Of a segment id that is a UUID with dashes the Collector uses only the digits
// before the first dash, and not the span's number.
func swSpanID(id *[8]byte, segment string, span uint32) bool {
	var number [16]byte
	if digits, ok := withoutDashes(segment); ok {
		if !hexID(number[:], digits) {
			return false
		}
		clear(number[4:])
	} else if !swNumber(&number, segment, span) {
		return false
	}
	subtle.XORBytes(id[:], number[:8], number[8:])
	return *id != [8]byte{}
}

// swNumber fills id from 32 hexadecimal digits, which two decimal numbers may
// follow: 56a5e1c519ae4c76a2b8b11d92cead7f.12.16563474296430001. By exclusive or,
// low byte first, it mixes extra into bytes 0 to 3, the first number into bytes 4
// to 7 and the second into bytes 8 to 15.
func swNumber(id *[16]byte, s string, extra uint32) bool {
	digits, numbers, found := strings.Cut(s, ".")
	if len(digits) != uuidDigits {
		return false
	}
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return false
	}
	var mask [16]byte
	binary.LittleEndian.PutUint32(mask[:], extra)
	if found {
		first, second, _ := strings.Cut(numbers, ".")
		thread, err1 := strconv.ParseInt(first, 10, 64)
		sequence, err2 := strconv.ParseInt(second, 10, 64)
		if err1 != nil || err2 != nil {
			return false
		}
		binary.LittleEndian.PutUint32(mask[4:], uint32(thread))
		binary.LittleEndian.PutUint64(mask[8:], uint64(sequence))
	}
	subtle.XORBytes(id[:], id[:], mask[:])
	return true
}

// withoutDashes returns the digits of a UUID that is written with dashes.
func withoutDashes(s string) (digits string, ok bool) {
	if len(s) != uuidDashed || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return "", false
	}
	return s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:], true
}
