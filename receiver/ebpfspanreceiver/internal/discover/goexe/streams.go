package goexe

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
)

// Streams says where a library for HTTP/2 can be asked which goroutine deals with which stream:
// bpf/gostreams.bpf.c says how.
type Streams struct {
	// FileOffset and Address are as those of RoundTrip.
	FileOffset, Address uint64
	// Conn, Via and ID are offsets, in bytes: of the net.Conn in what holds the connection, of
	// what leads to the stream or the connection, and of the stream's id.
	Conn, Via, ID uint16
}

// The libraries for HTTP/2, in the order of Program.Streams and of enum streams in
// bpf/include/process.h.
const (
	GRPCClient = iota
	GRPCServer
	HTTP2Server
	XNetServer

	StreamLibraries
)

const (
	grpcModule    = "google.golang.org/grpc"
	grpcTransport = grpcModule + "/internal/transport."
	xnetModule    = "golang.org/x/net"
)

// streamFunctions are the names that the functions have had that are probed.
var streamFunctions = [StreamLibraries][]string{
	GRPCClient: {
		grpcTransport + "(*clientHeaders).isThrottled",
		grpcTransport + "(*clientHeaders).isTransportResponseFrame",
		grpcTransport + "(*headerFrame).isTransportResponseFrame",
	},
	GRPCServer:  {grpcModule + ".(*Server).handleStream"},
	HTTP2Server: {"net/http.(*http2serverConn).runHandler"},
	XNetServer:  {xnetModule + "/http2.(*serverConn).runHandler"},
}

// xnetLayout is that of golang.org/x/net/http2, which net/http holds a copy of. It is that of
// all versions built by a Go whose goroutines can be read.
var xnetLayout = Streams{Conn: 16, Via: 0, ID: 8}

// behindPointer is the Via of a server whose streams have their id behind a pointer that they
// begin with.
const behindPointer = 1

// grpcLayouts are those of gRPC from a minor version on, up to that of the next. They were read from the DWARF of a
// program built with a patch release of each minor version. In a client Via leads to the
// function initStream.
var grpcLayouts = []struct {
	minor          int
	client, server Streams
}{
	{56, Streams{Conn: 136, Via: 40}, Streams{Conn: 32}},
	{58, Streams{Conn: 128, Via: 40}, Streams{Conn: 32}},
	{60, Streams{Conn: 128, Via: 40}, Streams{Conn: 16}},
	{69, Streams{Conn: 128, Via: 40}, Streams{Conn: 16, Via: behindPointer}},
	{77, Streams{Conn: 128, Via: 40}, Streams{Conn: 16, ID: 108}},
	{83, Streams{Conn: 128, Via: 32}, Streams{Conn: 16, ID: 108}},
}

// grpcNewest is the newest minor version that was looked at: later ones get no guess.
const grpcNewest = 83

// grpcLayout returns what is known of a version of gRPC.
func grpcLayout(version string) (client, server Streams, known bool) {
	minor, err := strconv.Atoi(strings.TrimPrefix(version, "v1."))
	if err != nil || minor > grpcNewest {
		return client, server, false
	}
	for _, l := range grpcLayouts {
		if l.minor <= minor {
			client, server, known = l.client, l.server, true
		}
	}
	return client, server, known
}

// readStreams finds what is probed of the libraries that a program was built with.
func readStreams(all *functions, modules []*debug.Module) (found [StreamLibraries]*Streams, err error) {
	version := moduleVersion(modules, grpcModule)
	client, server, known := grpcLayout(version)
	layouts := [StreamLibraries]Streams{
		GRPCClient: client, GRPCServer: server, HTTP2Server: xnetLayout, XNetServer: xnetLayout,
	}
	var errs []error
	for i, layout := range layouts {
		address, offset, err := all.locateAny(streamFunctions[i])
		switch isGRPC := i == GRPCClient || i == GRPCServer; {
		case err != nil:
			errs = append(errs, err)
		case address == 0:
		case isGRPC && !known:
			errs = append(errs, fmt.Errorf("%s: layout of version %q not known", grpcModule, version))
		default:
			layout.FileOffset, layout.Address = offset, address
			found[i] = &layout
		}
	}
	return found, errors.Join(errs...)
}

// moduleVersion returns the minor version of a module, as in "v1.83"; empty where the program
// does not contain it, or does not say.
func moduleVersion(modules []*debug.Module, path string) string {
	for _, m := range modules {
		if m.Path != path {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		if major, rest, ok := strings.Cut(m.Version, "."); ok {
			minor, _, _ := strings.Cut(rest, ".")
			return major + "." + minor
		}
	}
	return ""
}
