package http2

import (
	"cmp"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
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
	// peer is the other end's address, empty where it is not known.
	peer     string
	peerPort uint16
	// responded is true once the final response began.
	responded bool
	// doubted is when frames of the response may have been missed, 0 where none were.
	doubted int64
}

type server struct {
	address string
	port    int64
}

// otherMethod is what stands for a method that is not known (semantic conventions).
const otherMethod = "_OTHER"

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
func (e *exchange) conclude(c *conn.Conn) {
	e.fail()
	if e.grpc && e.Side == protocol.Server && e.grpcStatus == statusUnimplemented {
		e.Name = "grpc" // anybody may ask for any method
	}
	e.peer, e.peerPort = c.RemotePath, c.Remote.Port()
	if c.Remote.IsValid() {
		e.peer = c.Remote.Addr().Unmap().String()
	}
	if e.server.address != "" {
		return
	}
	at, path := c.Remote, c.RemotePath
	if e.Side == protocol.Server {
		at, path = c.Local, c.LocalPath
	}
	switch {
	case c.Unix:
		e.server.address = path
	case at.IsValid():
		e.server = server{at.Addr().Unmap().String(), int64(at.Port())}
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

// AppendAttributes implements protocol.Details.
func (e *exchange) AppendAttributes(to []protocol.Attribute) []protocol.Attribute {
	a := attributes(to)
	if e.grpc {
		a.addRPC(e)
	} else {
		a.addHTTP(e)
	}
	a.addString(semconv.NetworkProtocolNameKey, "http")
	a.addString(semconv.NetworkProtocolVersionKey, "2")
	if e.Conn.Unix {
		a.addString(semconv.NetworkTransportKey, semconv.NetworkTransportUnix.Value.AsString())
	}
	a.addString(semconv.ServerAddressKey, e.server.address)
	if e.server.port > 0 {
		a.addInt(semconv.ServerPortKey, e.server.port)
	}
	if e.peer == "" {
		return a
	}
	a.addString(semconv.NetworkPeerAddressKey, e.peer)
	if !e.Conn.Unix {
		a.addInt(semconv.NetworkPeerPortKey, int64(e.peerPort))
		if e.Side == protocol.Server {
			a.addString(semconv.ClientAddressKey, e.peer)
		}
	}
	return a
}

// attributes is a list that grows.
type attributes []protocol.Attribute

func (a *attributes) addString(key attribute.Key, value string) {
	if value != "" {
		*a = append(*a, protocol.Attribute{Key: string(key), String: value})
	}
}

func (a *attributes) addInt(key attribute.Key, value int64) {
	*a = append(*a, protocol.Attribute{Key: string(key), Int: value, IsInt: true})
}

func (a *attributes) addRPC(e *exchange) {
	a.addString(semconv.RPCSystemNameKey, semconv.RPCSystemNameGRPC.Value.AsString())
	if e.Side == protocol.Server && e.grpcStatus == statusUnimplemented {
		a.addString(semconv.RPCMethodKey, otherMethod)
		a.addString(semconv.RPCMethodOriginalKey, e.rpc)
	} else {
		a.addString(semconv.RPCMethodKey, e.rpc)
	}
	a.addString(semconv.RPCResponseStatusCodeKey, e.grpcStatus)
}

func (a *attributes) addHTTP(e *exchange) {
	a.addString(semconv.HTTPRequestMethodKey, cmp.Or(e.method, otherMethod))
	a.addString(semconv.HTTPRequestMethodOriginalKey, e.originalMethod)
	a.addString(semconv.URLSchemeKey, e.scheme)
	a.addString(semconv.URLPathKey, http1.Credentials(e.path))
	a.addString(semconv.URLQueryKey, e.query)
	a.addString(semconv.UserAgentOriginalKey, http1.Credentials(e.agent))
	if e.status > 0 {
		a.addInt(semconv.HTTPResponseStatusCodeKey, int64(e.status))
	}
	if e.Request.Complete {
		a.addInt(semconv.HTTPRequestBodySizeKey, e.Request.Size)
	}
	if e.Response.Complete {
		a.addInt(semconv.HTTPResponseBodySizeKey, e.Response.Size)
	}
}
