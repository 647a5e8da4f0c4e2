package capture

import (
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// KernelOptions configure the kernel source.
type KernelOptions struct {
	// All traces processes that nobody decided about.
	All bool
	// Listens has processes reported that begin to listen, those that are not traced
	// as well.
	Listens bool
	// TransfersOnly leaves out what serves causality alone: goroutines, round trips and the
	// turns of event loops.
	TransfersOnly bool
	// PayloadSize is the number of payload bytes per turn, 0 to 16384.
	PayloadSize int
	// Strategy is one of Strategies; empty means StrategyAuto.
	Strategy string
	// RingBufferSize is in bytes, a power of two and a multiple of the page size.
	RingBufferSize int
	// Losses takes what the kernel side could not deliver.
	Losses *loss.Counts
	Logger *zap.Logger
}

// GoRuntime tells the kernel side where a Go program keeps what it needs.
type GoRuntime struct {
	// GOffset is where a thread's pointer to runtime.g lies, relative to its
	// thread pointer.
	GOffset int32
	// GoidOffset and ParentGoidOffset lie in runtime.g; a ParentGoidOffset of 0
	// means that this version of Go does not record it.
	GoidOffset, ParentGoidOffset uint16
	// ConnOffset is that of the field conn in net/http's persistConn.
	ConnOffset uint16
	// RoundTrip is the file offset of net/http.(*persistConn).roundTrip, 0 where the
	// program has none.
	RoundTrip uint64
	// Streams are the libraries for HTTP/2 in the program.
	Streams [StreamLibraries]GoStreams
	// Ready is the file offset of runtime.ready, 0 where it or one of the next two is not
	// known: then no goroutines' wake-ups are seen.
	Ready uint64
	// MOffset lies in runtime.g, CurgOffset in runtime.m.
	MOffset, CurgOffset uint16
}

// The places of Go's libraries for HTTP/2 in GoRuntime.Streams, in the order of enum streams in
// bpf/include/process.h.
const (
	// GRPCClient and GRPCServer are google.golang.org/grpc.
	GRPCClient = iota
	GRPCServer
	// HTTP2Server is net/http.
	HTTP2Server
	// XNetServer is golang.org/x/net/http2.
	XNetServer

	StreamLibraries
)

// GoStreams tells the kernel side where a library for HTTP/2 can be asked which goroutine deals with
// which stream: bpf/gostreams.bpf.c.
type GoStreams struct {
	// Function is the file offset of the function that is probed, 0 where there is none.
	Function uint64
	// Conn, Via and ID are offsets in the library's structures: of the net.Conn, of what leads
	// to the stream or the connection, and of the stream's id.
	Conn, Via, ID uint16
}
