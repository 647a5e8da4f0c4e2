package tracetreeexporter

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Attributes that say how Seqlink found a span's parent; docs/configuration.md
// describes them.
const (
	attributeLinkMethod     = "seqlink.link.method"
	attributeLinkConfidence = "seqlink.link.confidence"
	attributeContext        = "seqlink.context"
)

// Attributes of the OpenTelemetry semantic conventions 1.43.0.
const (
	attributeServiceName   = "service.name"
	attributeSDKName       = "telemetry.sdk.name"
	attributeRequestMethod = "http.request.method"
	attributeURLPath       = "url.path"
	attributeURLFull       = "url.full"
	attributeStatusCode    = "http.response.status_code"
	attributeErrorType     = "error.type"
)

// flagIsRemote is the bit of a span's flags that says that its parent is in
// another process, where the bit for "known" (0x100) is set too
// (opentelemetry-proto trace.proto, SpanFlags).
const (
	flagHasIsRemote = 0x100
	flagIsRemote    = 0x200
)

// Ways in which a link was found, beside those that attributes name.
const (
	// methodRoot: there is no parent to link to.
	methodRoot = "root"
	// methodTCP: both ends of the TCP connection derived the parent's id from it.
	methodTCP = "tcp"
	// methodGiven: whoever made the span knew its parent, as SDKs do.
	methodGiven = "given"
	// methodMissing: the parent is not in the trace.
	methodMissing = "missing"
	// methodCycle: the parents lead back to the span itself.
	methodCycle = "cycle"
)

// span holds what is printed of a span, cleaned and cut, so that held traces keep
// no batch of the pipeline alive.
type span struct {
	id, parent pcommon.SpanID
	// start and end are in ns since the epoch; end is never before start.
	start, end uint64

	service   string
	operation string
	code      string
	failed    bool
	errorType string

	// method says how the link to the parent was found, given that the parent exists.
	method string
	// confidence is 0 to 1, or negative where none was stated.
	confidence float64
}

func (s *span) duration() uint64 { return s.end - s.start }

func newSpan(resource pcommon.Resource, from ptrace.Span) span {
	start, end := uint64(from.StartTimestamp()), uint64(from.EndTimestamp())
	method, confidence := linkOf(resource, from)
	return span{
		id:         from.SpanID(),
		parent:     from.ParentSpanID(),
		start:      start,
		end:        max(start, end),
		service:    clean(text(resource.Attributes(), attributeServiceName, "unknown_service")),
		operation:  clean(operationOf(from)),
		code:       clean(text(from.Attributes(), attributeStatusCode, "")),
		failed:     from.Status().Code() == ptrace.StatusCodeError,
		errorType:  clean(text(from.Attributes(), attributeErrorType, "")),
		method:     clean(method),
		confidence: confidence,
	}
}

// operationOf prefers method and path for HTTP, because a span's name leaves out
// what is of high cardinality.
func operationOf(from ptrace.Span) string {
	method := text(from.Attributes(), attributeRequestMethod, "")
	target := text(from.Attributes(), attributeURLPath, text(from.Attributes(), attributeURLFull, ""))
	if method == "" || target == "" {
		return from.Name()
	}
	return method + " " + target
}

func linkOf(resource pcommon.Resource, from ptrace.Span) (method string, confidence float64) {
	if propagator := contextOfParent(from); propagator != "" {
		return propagator, -1
	}
	if method = text(from.Attributes(), attributeLinkMethod, ""); method != "" {
		return method, confidenceOf(from)
	}
	if isFoundByConnection(resource, from) {
		return methodTCP, -1
	}
	return methodGiven, -1
}

// contextOfParent returns the propagator through which an application named the
// parent, or "" where the parent was found in another way.
func contextOfParent(from ptrace.Span) string {
	for _, link := range from.Links().All() {
		if link.SpanID() == from.ParentSpanID() {
			return text(link.Attributes(), attributeContext, "")
		}
	}
	return ""
}

func confidenceOf(from ptrace.Span) float64 {
	value, ok := from.Attributes().Get(attributeLinkConfidence)
	if !ok || value.Type() != pcommon.ValueTypeDouble || !(value.Double() >= 0) {
		return -1
	}
	return min(value.Double(), 1)
}

func isFoundByConnection(resource pcommon.Resource, from ptrace.Span) bool {
	if _, isSDK := resource.Attributes().Get(attributeSDKName); isSDK {
		return false
	}
	const remote = flagHasIsRemote | flagIsRemote
	return from.Kind() == ptrace.SpanKindServer && from.Flags()&remote == remote
}

// text returns an attribute as text, or otherwise where there is none.
func text(attributes pcommon.Map, key, otherwise string) string {
	value, ok := attributes.Get(key)
	if !ok {
		return otherwise
	}
	switch value.Type() {
	case pcommon.ValueTypeStr:
		return value.Str()
	case pcommon.ValueTypeInt:
		return strconv.FormatInt(value.Int(), 10)
	default:
		return value.AsString()
	}
}
