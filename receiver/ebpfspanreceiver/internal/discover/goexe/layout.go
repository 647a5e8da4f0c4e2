package goexe

import (
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
)

// layout holds the offsets of the fields we read, in bytes; 0 is not known.
type layout struct {
	goid, parentGoid, m, curg, conn uint64
}

// layouts is for files without DWARF. The figures were read from the DWARF of a
// program that uses net/http, built on amd64 with the toolchains go1.21.13, 1.22.12,
// 1.23.12, 1.24.9, 1.25.5 and 1.26.8 (GOTOOLCHAIN=… go build); the layout of the
// three structs has not changed between patch releases. Versions that are missing
// here get no guess: a wrong goroutine would be a wrong parent.
var layouts = map[string]layout{
	"go1.21": {goid: 152, parentGoid: 272, m: 48, curg: 192, conn: 80},
	"go1.22": {goid: 152, parentGoid: 272, m: 48, curg: 192, conn: 80},
	"go1.23": {goid: 160, parentGoid: 280, m: 48, curg: 192, conn: 80},
	"go1.24": {goid: 160, parentGoid: 280, m: 48, curg: 192, conn: 80},
	"go1.25": {goid: 152, parentGoid: 272, m: 48, curg: 184, conn: 80},
	"go1.26": {goid: 152, parentGoid: 280, m: 48, curg: 184, conn: 80},
}

// slowDWARF is the size of .debug_info, in bytes, from which on reading it (20 ms
// per MiB on a slow machine) would hold up the events of other processes.
const slowDWARF = 16 << 20

// layoutOf reads the layout from the file's DWARF, and takes from the table what
// is not there or would take too long to find.
func layoutOf(f *elf.File, lang string) layout {
	known, listed := layouts[lang]
	if info := f.Section(".debug_info"); listed && info != nil && info.Size > slowDWARF {
		return known
	}
	found, err := dwarfLayout(f)
	if err != nil || found.goid == 0 {
		return known
	}
	if found.conn == 0 {
		found.conn = known.conn
	}
	if found.curg == 0 {
		found.m, found.curg = known.m, known.curg
	}
	return found
}

// dwarfSections are those needed to read the names and members of types. The
// others, such as line tables, are larger than all of these.
var dwarfSections = []string{"abbrev", "info", "str", "addr", "str_offsets", "line_str"}

func openDWARF(f *elf.File) (*dwarf.Data, error) {
	data := map[string][]byte{}
	for _, name := range dwarfSections {
		section := f.Section(".debug_" + name)
		if section == nil {
			continue
		}
		content, err := sectionData(section)
		if err != nil {
			return nil, err
		}
		data[name] = content
	}
	if data["info"] == nil || data["abbrev"] == nil {
		return nil, errors.New("no DWARF")
	}
	d, err := dwarf.New(data["abbrev"], nil, nil, data["info"], nil, nil, nil, data["str"])
	if err != nil {
		return nil, fmt.Errorf("read DWARF: %w", err)
	}
	for _, name := range dwarfSections[3:] {
		if err := d.AddSection(".debug_"+name, data[name]); err != nil {
			return nil, fmt.Errorf("read DWARF: %w", err)
		}
	}
	return d, nil
}

func dwarfLayout(f *elf.File) (layout, error) {
	var lay layout
	d, err := openDWARF(f)
	if err != nil {
		return lay, err
	}
	wanted := map[string]map[string]*uint64{
		"runtime.g":            {"goid": &lay.goid, "parentGoid": &lay.parentGoid, "m": &lay.m},
		"runtime.m":            {"curg": &lay.curg},
		"net/http.persistConn": {"conn": &lay.conn},
	}
	return lay, readMembers(d, wanted)
}

// readMembers fills in the offsets of the wanted members of the wanted structs.
// The Go linker puts the types of the whole program into the unit of package
// runtime, so the other units are skipped unread.
func readMembers(d *dwarf.Data, wanted map[string]map[string]*uint64) error {
	r := d.Reader()
	for len(wanted) > 0 {
		entry, err := r.Next()
		if err != nil {
			return fmt.Errorf("read DWARF: %w", err)
		}
		if entry == nil {
			return nil
		}
		name, _ := entry.Val(dwarf.AttrName).(string)
		members := wanted[name]
		switch {
		case entry.Tag == dwarf.TagStructType && members != nil:
			if err := readStruct(r, members); err != nil {
				return err
			}
			delete(wanted, name)
		case entry.Tag == dwarf.TagCompileUnit && name == "runtime":
		default:
			r.SkipChildren()
		}
	}
	return nil
}

func readStruct(r *dwarf.Reader, members map[string]*uint64) error {
	for {
		entry, err := r.Next()
		if err != nil {
			return fmt.Errorf("read DWARF: %w", err)
		}
		if entry == nil || entry.Tag == 0 {
			return nil
		}
		name, _ := entry.Val(dwarf.AttrName).(string)
		offset, isOffset := entry.Val(dwarf.AttrDataMemberLoc).(int64)
		if target := members[name]; target != nil && isOffset && offset >= 0 {
			*target = uint64(offset)
		}
		r.SkipChildren()
	}
}
