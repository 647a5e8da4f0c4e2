package http2

import (
	"cmp"
	"strconv"
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/http1"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/propagation"
)

// exchange is a stream that a client opened.
type exchange struct {
	protocol.Exchange
	stream uint32
	// method is empty where it is not a known one; then originalMethod is what it was.
	method, originalMethod string
	scheme, path, query    string
	agent                  string
	// grpc says that it is a call of gRPC's, of the method rpc.
	grpc bool
	rpc  string
	// mayBeCall says that it is one where it looks so: its content type is not known.
	mayBeCall bool
	// status is that of HTTP, 0 until it is known, grpcStatus that of gRPC, empty until then.
	status     int
	grpcStatus string
	// server is where the request went by its own account.
	server server
	// peer is the other end.
	peer protocol.End
	// responded is true once the final response began.
	responded bool
	// doubted is when frames of the response may have been missed, 0 where none were.
	doubted int64
}

type server struct {
	address string
	port    int64
}

// describe notes what a request's fields say.
func (e *exchange) describe(h *headers, query http1.Query) {
	e.method = http1.KnownMethod([]byte(h.method))
	e.Name = e.method
	if e.method == "" {
		e.Name = "HTTP"
		e.originalMethod = line(h.method)
	}
	path, rest, _ := strings.Cut(line(h.path), "?")
	if h.cut && h.path == "" {
		path = ""
	}
	e.path, e.query = path, query.Apply([]byte(rest))
	if isGRPC(h.contentType) {
		e.isCall()
	}
	e.mayBeCall = !e.grpc && e.method == "POST" && h.contentType == "" && (h.unknown || h.cut)
	e.scheme, e.agent = line(h.scheme), line(h.agent)
	if address, port, ok := http1.ParseAuthority(h.authority, h.scheme); ok {
		e.server = server{address, port}
	}
	if len(h.contexts) > 0 {
		e.Contexts = propagation.Extract(h.contexts)
		e.Marks = propagation.Marks(e.Contexts, h.contexts)
	}
}

// isCall notes that the exchange is a call of gRPC's.
func (e *exchange) isCall() {
	e.grpc, e.mayBeCall = true, false
	e.rpc = strings.TrimPrefix(e.path, "/")
	e.Name = cmp.Or(e.rpc, "grpc")
}

// describeResponse notes what the fields of a response or its trailers say.
func (e *exchange) describeResponse(h *headers) {
	if status, err := strconv.Atoi(h.status); err == nil && status > 0 {
		e.status = status
	}
	if isGRPC(h.contentType) && e.mayBeCall {
		e.isCall()
	}
	if e.grpc && h.grpcStatus != "" {
		e.grpcStatus = statusOf(h.grpcStatus)
	}
}

// conclude notes what is known at the end only, or from the connection.
func (e *exchange) conclude(ends *protocol.Ends) {
	e.fail()
	if e.grpc && e.Side == protocol.Server && e.grpcStatus == statusUnimplemented {
		e.Name = "grpc" // anybody may ask for any method
	}
	at, peer := ends.Of(e.Conn, e.Side)
	e.peer = peer
	if e.server.address == "" {
		e.server = server{at.Address, int64(at.Port)}
	}
}

// fail notes the failure that the status tells of.
func (e *exchange) fail() {
	switch {
	case e.ErrorType != "":
	case e.grpc && e.grpcStatus != "":
		if e.grpcStatus != statusOK && (e.Side == protocol.Client || serverFailures[e.grpcStatus]) {
			e.ErrorType, e.Failed = e.grpcStatus, true
		}
	case http1.IsFailure(e.Side, e.status):
		e.ErrorType, e.Failed = strconv.Itoa(e.status), true
	}
}

// Path returns the path that is asked for, without its query.
func (e *exchange) Path() string { return e.path }

// AddAttributes implements protocol.Details.
func (e *exchange) AddAttributes(a *protocol.Attributes) {
	if e.grpc {
		e.addRPC(a)
	} else {
		e.addHTTP(a)
	}
	a.AddString(semconv.NetworkProtocolVersionKey, "2")
	a.AddUnix(e.Conn)
	a.AddServer(e.server.address, e.server.port)
	a.AddPeer(&e.Exchange, e.peer)
}

func (e *exchange) addRPC(a *protocol.Attributes) {
	a.AddString(semconv.RPCSystemNameKey, semconv.RPCSystemNameGRPC.Value.AsString())
	if e.Side == protocol.Server && e.grpcStatus == statusUnimplemented {
		a.AddString(semconv.RPCMethodKey, http1.OtherMethod)
		a.AddString(semconv.RPCMethodOriginalKey, e.rpc)
	} else {
		a.AddString(semconv.RPCMethodKey, e.rpc)
	}
	a.AddString(semconv.RPCResponseStatusCodeKey, e.grpcStatus)
	a.AddString(semconv.NetworkProtocolNameKey, "http") // of HTTP's own spans it is the default
}

func (e *exchange) addHTTP(a *protocol.Attributes) {
	a.AddString(semconv.HTTPRequestMethodKey, cmp.Or(e.method, http1.OtherMethod))
	a.AddString(semconv.HTTPRequestMethodOriginalKey, e.originalMethod)
	a.AddString(semconv.URLSchemeKey, e.scheme)
	a.AddString(semconv.URLPathKey, http1.Credentials(e.path))
	a.AddString(semconv.URLQueryKey, e.query)
	a.AddString(semconv.UserAgentOriginalKey, http1.Credentials(e.agent))
	if e.status > 0 {
		a.AddInt(semconv.HTTPResponseStatusCodeKey, int64(e.status))
	}
	if e.Request.Complete {
		a.AddInt(semconv.HTTPRequestBodySizeKey, e.Request.Size)
	}
	if e.Response.Complete {
		a.AddInt(semconv.HTTPResponseBodySizeKey, e.Response.Size)
	}
}
