// Package goexe reads from an executable file what the kernel side has to know
// about a Go program: where a thread's goroutine is found, where net/http's client can
// be watched, and where goroutines are woken. It reads headers and the few sections it needs, never a
// whole file.
package goexe

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"go/version"
	"io"
	"runtime/debug"
	"strings"
)

// ErrNotGo says that a file is no ELF executable built by the Go toolchain.
var ErrNotGo = errors.New("not a Go program")

// Program holds the facts about one Go executable.
type Program struct {
	// Version is the toolchain that built it, as in "go1.26.8".
	Version string
	// Goroutine says where goroutine ids are read, nil where that is not known:
	// then the program is traced by its threads.
	Goroutine *Goroutine
	// RoundTrip says where net/http's client is probed, nil where the program does
	// not contain it or it could not be found.
	RoundTrip *RoundTrip
	// Ready says where goroutines are woken, nil where that could not be found.
	Ready *Ready
	// Streams says where libraries for HTTP/2 are probed, each nil where the program does not
	// contain it or it could not be found.
	Streams [StreamLibraries]*Streams
	// modules are what the program was built from.
	modules []*debug.Module
}

// Goroutine says where a thread of the program holds the goroutine it runs.
//
// On amd64 the pointer to the runtime.g lies in the thread's local storage. On
// arm64 it is in register x28, which the kernel side does not read yet.
type Goroutine struct {
	// TLSOffset is added to the thread's FS base to get the address of the pointer
	// to the runtime.g. It is negative.
	TLSOffset int64
	// Goid is the offset of the field goid in runtime.g, in bytes.
	Goid uint64
	// ParentGoid is the offset of the field parentGoid in runtime.g, in bytes; 0
	// where this version of the runtime has none (before 1.21).
	ParentGoid uint64
}

// RoundTrip says where net/http.(*persistConn).roundTrip begins. It runs in the
// goroutine that asks for an exchange, with the *persistConn as the receiver: in
// register AX on amd64 and R0 on arm64 (Go's ABIInternal).
type RoundTrip struct {
	// FileOffset is what a uprobe is attached to, in bytes: where the function begins in
	// the file, or where it sets up its frame and has the arguments in their registers still.
	FileOffset uint64
	// Address is its virtual address as linked (before the loader moves a
	// position-independent executable).
	Address uint64
	// Conn is the offset of the field conn, a net.Conn, in net/http.persistConn, in bytes.
	Conn uint64
}

// Ready says where runtime.ready begins, by which goroutines that were parked are made
// runnable: by channels, semaphores and conditions, which all have runtime.goready inlined. It
// runs on the thread's system stack, with the runtime.g that it wakes in register AX on
// amd64 and R0 on arm64. Whose deed it is is in the thread's runtime.m: g.m.curg.
type Ready struct {
	// FileOffset and Address are as those of RoundTrip.
	FileOffset, Address uint64
	// M is the offset of the field m in runtime.g, Curg that of curg in runtime.m, in bytes.
	M, Curg uint64
}

const (
	roundTripFunction = "net/http.(*persistConn).roundTrip"
	readyFunction     = "runtime.ready"
)

// Read reads the facts from an executable file. For a Go program it always
// returns a Program; the error then says which of its facts could not be found.
// Any other file gives ErrNotGo.
func Read(r io.ReaderAt) (*Program, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotGo, err)
	}
	// The section has been there since Go 1.13. Without this check buildinfo would
	// search the data segment of every other program for its magic.
	if f.Section(".go.buildinfo") == nil {
		return nil, ErrNotGo
	}
	info, err := buildinfo.Read(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotGo, err)
	}
	program := &Program{Version: info.GoVersion, modules: info.Deps}
	return program, program.read(f)
}

func (p *Program) read(f *elf.File) error {
	lay := layoutOf(f, language(p.Version))
	symbols, err := goSymbols(f)
	if err != nil {
		return err
	}
	all := &functions{file: f, symbols: symbols}
	var goroutine, roundTrip, ready, streams error
	p.Goroutine, goroutine = readGoroutine(f, lay, symbols)
	p.RoundTrip, roundTrip = readRoundTrip(all, lay)
	p.Ready, ready = readReady(all, lay)
	p.Streams, streams = readStreams(all, p.modules)
	return errors.Join(goroutine, roundTrip, ready, streams)
}

func readRoundTrip(all *functions, lay layout) (*RoundTrip, error) {
	address, offset, err := all.locate(roundTripFunction)
	if address == 0 || err != nil {
		return nil, err
	}
	if lay.conn == 0 {
		return nil, errors.New("net/http.persistConn: layout not known for this version of Go, and the file has no DWARF")
	}
	return &RoundTrip{FileOffset: offset, Address: address, Conn: lay.conn}, nil
}

func readReady(all *functions, lay layout) (*Ready, error) {
	address, offset, err := all.locate(readyFunction)
	if address == 0 || err != nil {
		return nil, err
	}
	if lay.m == 0 || lay.curg == 0 {
		return nil, errors.New("runtime.m: layout not known for this version of Go, and the file has no DWARF")
	}
	return &Ready{FileOffset: offset, Address: address, M: lay.m, Curg: lay.curg}, nil
}

// language returns the version of the language, as in "go1.26", or "" where v does
// not begin with a release's name. Toolchains append to it: experiments
// ("go1.22.12 X:boringcrypto"), vendors ("go1.22.9 (Red Hat …)", "go1.24.1-custom").
func language(v string) string {
	v, _, _ = strings.Cut(v, " ")
	v, _, _ = strings.Cut(v, "-")
	return version.Lang(v)
}
