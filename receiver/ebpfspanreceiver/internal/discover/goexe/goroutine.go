package goexe

import (
	"debug/elf"
	"errors"
	"fmt"
)

// readGoroutine says where goroutine ids are found, or why they are not.
func readGoroutine(f *elf.File, lay layout, symbols symbolTable) (*Goroutine, error) {
	if f.Machine != elf.EM_X86_64 {
		return nil, fmt.Errorf("goroutine ids: architecture %s is not supported, only amd64 is", f.Machine)
	}
	if lay.goid == 0 {
		return nil, errors.New("goroutine ids: layout of runtime.g not known for this version of Go, and the file has no DWARF")
	}
	tls, err := tlsOffset(f, symbols)
	if err != nil {
		return nil, err
	}
	return &Goroutine{TLSOffset: tls, Goid: lay.goid, ParentGoid: lay.parentGoid}, nil
}

// tlsOffset returns the distance from the thread pointer to runtime.tlsg.
//
// Go's own linker reserves the 8 bytes under the thread pointer (Tlsoffset in
// cmd/link/internal/ld/sym.go). The system's linker places runtime.tlsg among the
// other thread-local variables; the block of the executable itself ends at the
// thread pointer (variant II in "ELF Handling For Thread-Local Storage").
func tlsOffset(f *elf.File, symbols symbolTable) (int64, error) {
	const pointer = 8
	segment := tlsSegment(f)
	if segment == nil || segment.Memsz == pointer {
		return -pointer, nil
	}
	tlsg, ok := symbols["runtime.tlsg"]
	if !ok {
		return 0, errors.New("goroutine ids: other thread-local variables surround runtime.tlsg and the file has no symbol table")
	}
	align := max(segment.Align, 1)
	size := (segment.Memsz + align - 1) / align * align
	if tlsg > segment.Memsz || segment.Memsz > maxSection {
		return 0, errors.New("goroutine ids: runtime.tlsg lies outside of the thread-local segment")
	}
	return int64(tlsg) - int64(size), nil
}

func tlsSegment(f *elf.File) *elf.Prog {
	for _, p := range f.Progs {
		if p.Type == elf.PT_TLS {
			return p
		}
	}
	return nil
}
