package pyasyncio

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// maxTable bounds the tables of symbols that are read, in bytes.
const maxTable = 16 << 20

// mapped is a file that a process has mapped.
type mapped struct {
	path string
	// address is where its first byte is.
	address uint64
}

// mappedFiles reads a /proc/PID/maps: the files whose beginning is mapped (proc_pid_maps(5)).
func mappedFiles(maps []byte) (files []mapped) {
	lines := bufio.NewScanner(bytes.NewReader(maps))
	for lines.Scan() {
		// address perms offset dev inode path
		fields := strings.SplitN(lines.Text(), " ", 6)
		if len(fields) < 6 {
			continue
		}
		path := strings.TrimLeft(fields[5], " ")
		var m mapped
		var offset uint64
		if _, err := fmt.Sscanf(fields[0], "%x-", &m.address); err != nil || !strings.HasPrefix(path, "/") {
			continue
		}
		if _, err := fmt.Sscanf(fields[2], "%x", &offset); err != nil || offset != 0 {
			continue
		}
		m.path = path
		files = append(files, m)
	}
	return files
}

func find(files []mapped, name *regexp.Regexp) *mapped {
	for i := range files {
		if name.MatchString(files[i].path) {
			return &files[i]
		}
	}
	return nil
}

// open opens the file below the process's root.
func (m *mapped) open(root string) (*elf.File, error) {
	f, err := elf.Open(filepath.Join(root, m.path))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", m.path, err)
	}
	return f, nil
}

const page = 4096

// bias is what is to be added to the file's addresses.
func (m *mapped) bias(f *elf.File) uint64 {
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_LOAD {
			return m.address - segment.Vaddr&^(page-1)
		}
	}
	return m.address
}

// symbols returns the addresses of those that the file exports.
func (m *mapped) symbols(root string, names map[string]bool) (map[string]uint64, error) {
	f, err := m.open(root)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found := make(map[string]uint64)
	for _, section := range f.Sections {
		if section.FileSize > maxTable && (section.Type == elf.SHT_DYNSYM || section.Type == elf.SHT_STRTAB) {
			return found, nil
		}
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return found, nil //nolint:nilerr // a program that exports nothing
	}
	bias := m.bias(f)
	for _, symbol := range symbols {
		if names[symbol.Name] && symbol.Section != elf.SHN_UNDEF {
			found[symbol.Name] = bias + symbol.Value
		}
	}
	return found, nil
}

// initialised returns where the file's variables are that have a value when it is loaded.
func (m *mapped) initialised(root string) (begin, size uint64, err error) {
	f, err := m.open(root)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_LOAD && segment.Flags&elf.PF_W != 0 {
			begin = (segment.Vaddr + 7) &^ 7
			return m.bias(f) + begin, segment.Vaddr + segment.Filesz - begin, nil
		}
	}
	return 0, 0, fmt.Errorf("%w: no variables", ErrUnsupported)
}

// zeroed returns where the file's variables are that are zero when it is loaded.
func (m *mapped) zeroed(root string) (begin, size uint64, err error) {
	f, err := m.open(root)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_LOAD && segment.Memsz > segment.Filesz {
			end := (segment.Vaddr + segment.Filesz + 7) &^ 7
			return m.bias(f) + end, segment.Vaddr + segment.Memsz - end, nil
		}
	}
	return 0, 0, fmt.Errorf("%w: no variables", ErrUnsupported)
}

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
