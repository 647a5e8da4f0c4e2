package goexe

import (
	"debug/elf"
	"errors"
	"fmt"
)

// maxSection bounds what is read of one section, in bytes after decompression.
const maxSection = 128 << 20

// symbolTable holds the addresses of the symbols we look for.
type symbolTable map[string]uint64

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
		switch symbols[i].Name {
		case roundTripFunction, "runtime.tlsg", "runtime.text":
			table[symbols[i].Name] = symbols[i].Value
		}
	}
	return table, nil
}

// functionAddress returns the virtual address of a function, 0 where the program
// does not contain it.
func functionAddress(f *elf.File, symbols symbolTable, name string) (uint64, error) {
	if address, ok := symbols[name]; ok {
		return address, nil
	}
	// A table that knows where Go's code begins knows all of its functions.
	if _, whole := symbols["runtime.text"]; whole {
		return 0, nil
	}
	return pclntabAddress(f, name)
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

// fileOffset returns the place in the file that is mapped at a virtual address of
// the program's code.
func fileOffset(f *elf.File, address uint64) (uint64, error) {
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && address >= p.Vaddr && address-p.Vaddr < p.Filesz {
			return address - p.Vaddr + p.Off, nil
		}
	}
	return 0, errors.New("function lies outside of the program's code")
}
