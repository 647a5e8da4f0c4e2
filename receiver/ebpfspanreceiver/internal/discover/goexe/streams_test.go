package goexe

import (
	"debug/elf"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The table tells what the DWARF of a program with the libraries of this module does.
func TestStreams(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("builds programs for the machine it runs on, and reads ELF only")
	}
	_, whole := build{source: "streams"}.program(t)
	f, err := elf.Open(whole)
	require.NoError(t, err)
	defer f.Close()
	offset := func(structure, member string) uint16 { return uint16(memberOffset(t, f, structure, member)) }
	require.Zero(t, offset(grpcTransport+"ServerStream", "Stream"))
	require.Zero(t, offset(grpcTransport+"clientHeaders", "streamID"))
	want := [StreamLibraries]Streams{
		GRPCClient: {Conn: offset(grpcTransport+"http2Client", "conn"), Via: offset(grpcTransport+"clientHeaders", "initStream")},
		GRPCServer: {Conn: offset(grpcTransport+"http2Server", "conn"), ID: offset(grpcTransport+"Stream", "id")},
		HTTP2Server: {
			Conn: offset("net/http.http2serverConn", "conn"), Via: offset("net/http.http2responseWriterState", "stream"),
			ID: offset("net/http.http2stream", "id"),
		},
		XNetServer: {
			Conn: offset(xnetModule+"/http2.serverConn", "conn"), Via: offset(xnetModule+"/http2.responseWriterState", "stream"),
			ID: offset(xnetModule+"/http2.stream", "id"),
		},
	}
	for name, b := range map[string]build{
		"normal": {}, "stripped by Go": {flags: []string{"-ldflags=-s -w"}}, "stripped": {strip: true},
	} {
		b.source = "streams"
		path, symbols := b.program(t)
		if name == "stripped by Go" {
			symbols = whole
		}
		for i, found := range readFile(t, path).Streams {
			if !assert.NotNil(t, found, "%s: %v", name, streamFunctions[i]) {
				continue
			}
			assert.Contains(t, addresses(t, symbols, streamFunctions[i]), strconv.FormatUint(found.Address, 16))
			found.Address, found.FileOffset = 0, 0
			assert.Equal(t, want[i], *found, "%s: %v", name, streamFunctions[i])
		}
	}
}

func addresses(t *testing.T, path string, names []string) (all []string) {
	t.Helper()
	for _, name := range names {
		all = append(all, symbolAddress(t, path, name))
	}
	return all
}

func TestGRPCVersions(t *testing.T) {
	for version, known := range map[string]bool{
		"v1.55": false, "v1.56": true, "v1.68": true, "v1.83": true, "v1.84": false, "v2.60": false, "": false,
	} {
		_, _, ok := grpcLayout(version)
		assert.Equal(t, known, ok, version)
	}
	_, server, _ := grpcLayout("v1.76")
	assert.Equal(t, Streams{Conn: 16, Via: behindPointer}, server)
	modules := []*debug.Module{
		{Path: xnetModule, Version: "v0.1.0"},
		{Path: grpcModule, Version: "v1.60.1", Replace: &debug.Module{Path: "example.org/fork", Version: "v1.62.0-rc1"}},
	}
	assert.Equal(t, "v1.62", moduleVersion(modules, grpcModule))
	assert.Equal(t, "v0.1", moduleVersion(modules, xnetModule))
	assert.Empty(t, moduleVersion(modules, "example.org/other"))
}
