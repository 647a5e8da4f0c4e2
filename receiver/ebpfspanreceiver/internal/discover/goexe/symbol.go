package goexe

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
)

// maxSection bounds what is read of one section, in bytes after decompression.
const maxSection = 128 << 20

// symbolTable holds the addresses of the symbols we look for.
type symbolTable map[string]uint64

// wantedSymbols are those we look for.
var wantedSymbols = func() map[string]struct{} {
	all := append([]string{roundTripFunction, readyFunction, "runtime.tlsg", "runtime.text"}, slices.Concat(streamFunctions[:]...)...)
	wanted := make(map[string]struct{}, len(all))
	for _, name := range all {
		wanted[name] = struct{}{}
	}
	return wanted
}()

// goSymbols looks the few symbols up that we need. It is empty for a stripped file.
func goSymbols(f *elf.File) (symbolTable, error) {
	table := symbolTable{}
	if s := f.SectionByType(elf.SHT_SYMTAB); s == nil || s.Size > maxSection {
		return table, nil
	}
	symbols, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("read symbol table: %w", err)
	}
	for i := range symbols {
		if _, wanted := wantedSymbols[symbols[i].Name]; wanted {
			table[symbols[i].Name] = symbols[i].Value
		}
	}
	return table, nil
}

// functions finds a program's functions.
type functions struct {
	file    *elf.File
	symbols symbolTable
	// table is read when the symbols do not suffice.
	table *pclntab
}

// locate returns a function's virtual address, and the place in the file where it is best
// probed; 0 where the program does not contain it.
func (s *functions) locate(name string) (address, probe uint64, err error) {
	address, err = s.address(name)
	if address == 0 || err != nil {
		return 0, 0, err
	}
	probe, err = probeOffset(s.file, address)
	return address, probe, err
}

// locateAny does the same for the first of some functions that the program contains.
func (s *functions) locateAny(names []string) (address, probe uint64, err error) {
	for _, name := range names {
		if address, probe, err = s.locate(name); address != 0 || err != nil {
			break
		}
	}
	return address, probe, err
}

func (s *functions) address(name string) (_ uint64, err error) {
	if address, ok := s.symbols[name]; ok {
		return address, nil
	}
	// A table that knows where Go's code begins knows all of its functions.
	if _, whole := s.symbols["runtime.text"]; whole {
		return 0, nil
	}
	if s.table == nil {
		if s.table, err = findPclntab(s.file); err != nil {
			return 0, err
		}
	}
	return s.table.lookup(s.file, name)
}

func sectionData(s *elf.Section) ([]byte, error) {
	if s.Type == elf.SHT_NOBITS {
		return nil, fmt.Errorf("section %s is empty", s.Name)
	}
	if s.Size > maxSection || s.FileSize > maxSection {
		return nil, fmt.Errorf("section %s is larger than %d bytes", s.Name, maxSection)
	}
	data, err := s.Data()
	if err != nil {
		return nil, fmt.Errorf("read section %s: %w", s.Name, err)
	}
	return data, nil
}

// probeOffset returns the place in the file where the function at a virtual address is
// best probed: at its beginning, or soon after.
func probeOffset(f *elf.File, address uint64) (uint64, error) {
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_X == 0 || address < p.Vaddr || address-p.Vaddr >= p.Filesz {
			continue
		}
		var code [longestPrologue + 1]byte
		n, err := p.ReadAt(code[:], int64(address-p.Vaddr))
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("read the function's code: %w", err)
		}
		return address - p.Vaddr + p.Off + afterStackCheck(f.Machine, code[:n]), nil
	}
	return 0, errors.New("function lies outside of the program's code")
}
