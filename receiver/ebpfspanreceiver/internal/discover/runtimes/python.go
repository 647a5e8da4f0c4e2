package runtimes

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

// maxSymbols bounds the tables of symbols that are read, in bytes.
const maxSymbols = 16 << 20

// pythonVersion reads Py_Version (Python 3.11 and later) from the executable, or from
// the library that it is linked with.
func pythonVersion(p process) string {
	if version := symbolVersion(p.exe); version != "" {
		return version
	}
	library, err := p.open(p.library("libpython"))
	if err != nil {
		return ""
	}
	defer library.Close()
	return symbolVersion(library)
}

// symbolVersion decodes PY_VERSION_HEX (docs.python.org/3/c-api/apiabiversion.html):
// major, minor and micro version, a byte each, then the release level.
func symbolVersion(r io.ReaderAt) string {
	f, err := elf.NewFile(r)
	if err != nil {
		return ""
	}
	for _, section := range f.Sections {
		if section.FileSize > maxSymbols && (section.Type == elf.SHT_DYNSYM || section.Type == elf.SHT_STRTAB) {
			return ""
		}
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return ""
	}
	for _, symbol := range symbols {
		if symbol.Name != "Py_Version" || int(symbol.Section) >= len(f.Sections) || symbol.Section == elf.SHN_UNDEF {
			continue
		}
		section := f.Sections[symbol.Section]
		var hex [4]byte
		if section.Type != elf.SHT_PROGBITS || symbol.Value < section.Addr {
			return ""
		}
		if _, err := section.ReadAt(hex[:], int64(symbol.Value-section.Addr)); err != nil {
			return ""
		}
		v := binary.LittleEndian.Uint32(hex[:])
		return fmt.Sprintf("%d.%d.%d", v>>24, v>>16&0xff, v>>8&0xff)
	}
	return ""
}
