package http2

import (
	"strconv"
	"strings"
)

// messageHead is the size of what precedes each gRPC message, in bytes: whether it is
// compressed, and its length.
const messageHead = 5

// statuses are gRPC's status codes by their numbers.
var statuses = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
	"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

const (
	statusOK            = "OK"
	statusUnimplemented = "UNIMPLEMENTED"
)

// serverFailures are the statuses that are a server's failures by the semantic conventions for
// gRPC. A client's failures are all but OK.
var serverFailures = map[string]bool{
	"UNKNOWN": true, "DEADLINE_EXCEEDED": true, statusUnimplemented: true, "INTERNAL": true, "UNAVAILABLE": true, "DATA_LOSS": true,
}

// statusOf returns the status that a grpc-status field names, by its number where it has no name.
func statusOf(field string) string {
	n, err := strconv.ParseUint(field, 10, 32)
	if err != nil {
		return ""
	}
	if n < uint64(len(statuses)) {
		return statuses[n]
	}
	return strconv.FormatUint(n, 10)
}

// isGRPC reports whether a content type is gRPC's: application/grpc, or with a suffix
// (gRPC over HTTP2, "Content-Type").
func isGRPC(contentType string) bool {
	rest, found := strings.CutPrefix(strings.ToLower(contentType), "application/grpc")
	return found && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// codes are the error codes of HTTP/2 by their numbers: RFC 9113, section 7.
var codes = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

const (
	codeNone    = 0
	codeRefused = 7
	codeCancel  = 8
)

// codeName returns the name of an error code; unknown ones count as internal errors.
func codeName(code uint32) string {
	if code < uint32(len(codes)) {
		return codes[code]
	}
	return codes[2]
}

// resetStatus is the status that a gRPC client sees where a stream is reset with a code
// (gRPC over HTTP2, "Errors").
func resetStatus(code uint32) string {
	switch codeName(code) {
	case "REFUSED_STREAM":
		return "UNAVAILABLE"
	case "CANCEL":
		return "CANCELLED"
	case "ENHANCE_YOUR_CALM":
		return "RESOURCE_EXHAUSTED"
	case "INADEQUATE_SECURITY":
		return "PERMISSION_DENIED"
	}
	return "INTERNAL"
}
