package goexe

import (
	"bytes"
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"errors"
	"fmt"
)

// pclntab is the table of functions that the runtime itself uses, and that
// stripping leaves in place.
type pclntab struct {
	address uint64
	data    []byte
	// index is nil until a function is looked for.
	index *gosym.Table
}

// lookup returns the address of a function, 0 where the program does not contain it.
func (t *pclntab) lookup(f *elf.File, name string) (uint64, error) {
	// Building the index of all functions is the costly part.
	if t.index == nil && !bytes.Contains(t.data, append([]byte(name), 0)) {
		return 0, nil
	}
	if t.index == nil {
		text, err := textStart(f, t)
		if err != nil {
			return 0, err
		}
		if t.index, err = gosym.NewTable(nil, gosym.NewLineTable(t.data, text)); err != nil {
			return 0, fmt.Errorf("read pclntab: %w", err)
		}
	}
	if function := t.index.LookupFunc(name); function != nil {
		return function.Entry, nil
	}
	return 0, nil
}

// pclntabMagic begins the table since Go 1.20: the magic number, two zero bytes,
// the instruction quantum of amd64 and the size of a pointer.
var pclntabMagic = []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}

// findPclntab finds the table in the section of its own that it has in most files,
// or inside .data.rel.ro, where the system's linker puts it in
// position-independent executables up to Go 1.25.
func findPclntab(f *elf.File) (*pclntab, error) {
	if f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB {
		return nil, errors.New("functions of a stripped file are only found in little-endian 64-bit programs")
	}
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab", ".data.rel.ro"} {
		section := f.Section(name)
		if section == nil {
			continue
		}
		data, err := sectionData(section)
		if err != nil {
			return nil, err
		}
		if at := indexAligned(data, pclntabMagic, 8); at >= 0 {
			return &pclntab{address: section.Addr + uint64(at), data: data[at:]}, nil
		}
	}
	return nil, errors.New("no pclntab of Go 1.20 or later found")
}

func indexAligned(data, pattern []byte, align int) int {
	for at := 0; ; {
		i := bytes.Index(data[at:], pattern)
		if i < 0 {
			return -1
		}
		if at += i; at%align == 0 {
			return at
		}
		at++
	}
}

// Where the address of runtime.text is written, to which the table's addresses are
// relative: in the table's header up to Go 1.25, and in runtime.moduledata since
// (pcHeader and moduledata in runtime/symtab.go).
const (
	headerTextStart = 8 + 2*8
	moduledataText  = 8 + 6*24 + 3*8
)

func textStart(f *elf.File, table *pclntab) (uint64, error) {
	place := table.address + headerTextStart
	if module := f.Section(".go.module"); module != nil {
		place = module.Addr + moduledataText
	}
	text, err := relocatedWord(f, place)
	if err != nil {
		return 0, err
	}
	section := f.Section(".text")
	if section == nil {
		return 0, errors.New("no .text section")
	}
	if text < section.Addr || text-section.Addr >= section.Size {
		return 0, fmt.Errorf("start of Go's code (%#x) lies outside of .text", text)
	}
	return text, nil
}

// relocatedWord returns the word at a virtual address as the loader leaves it,
// before the base of a position-independent executable is added. The system's
// linker writes such words only into the relocation's addend.
func relocatedWord(f *elf.File, address uint64) (uint64, error) {
	for _, s := range f.Sections {
		if s.Type != elf.SHT_RELA || s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		data, err := sectionData(s)
		if err != nil {
			return 0, err
		}
		if addend, ok := relativeAddend(f.Machine, data, address); ok {
			return addend, nil
		}
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && address >= p.Vaddr && address-p.Vaddr < p.Filesz {
			var word [8]byte
			if _, err := p.ReadAt(word[:], int64(address-p.Vaddr)); err != nil {
				return 0, fmt.Errorf("read address of Go's code: %w", err)
			}
			return binary.LittleEndian.Uint64(word[:]), nil
		}
	}
	return 0, fmt.Errorf("address %#x is not in the file", address)
}

// relativeAddend searches Elf64_Rela entries (offset, info, addend) for the one
// that relocates address by the base alone.
func relativeAddend(machine elf.Machine, rela []byte, address uint64) (uint64, bool) {
	relative := uint64(elf.R_X86_64_RELATIVE)
	if machine == elf.EM_AARCH64 {
		relative = uint64(elf.R_AARCH64_RELATIVE)
	}
	const entry = 24
	for ; len(rela) >= entry; rela = rela[entry:] {
		if binary.LittleEndian.Uint64(rela) == address && binary.LittleEndian.Uint64(rela[8:]) == relative {
			return binary.LittleEndian.Uint64(rela[16:]), true
		}
	}
	return 0, false
}
