package batchcodec

import (
	"encoding/binary"
	"hash/maphash"
)

// dictionary gives each string a place. Its table is open addressing over a power of
// two, at most half full.
type dictionary struct {
	// text has the strings one behind the other, and lengths the length of each as a
	// varint.
	text, lengths []byte
	// ends has where each string ends in text, and usedBy the last span that has it as
	// a key.
	ends, usedBy []uint32
	// table has places plus one, by hash; 0 is free.
	table []uint32
	seed  maphash.Seed
}

func newDictionary() dictionary {
	return dictionary{table: make([]uint32, 256), seed: maphash.MakeSeed()}
}

func (d *dictionary) reset() {
	d.text, d.lengths, d.ends, d.usedBy = d.text[:0], d.lengths[:0], d.ends[:0], d.usedBy[:0]
	clear(d.table)
}

// place returns where s is, and puts it there where it is new.
func (d *dictionary) place(s string) uint32 {
	mask := uint32(len(d.table) - 1)
	at := uint32(maphash.String(d.seed, s)) & mask
	for d.table[at] != 0 {
		if found := d.table[at] - 1; string(d.at(found)) == s {
			return found
		}
		at = (at + 1) & mask
	}
	d.table[at] = d.add(s) + 1
	if 2*len(d.ends) > len(d.table) {
		d.grow()
	}
	return uint32(len(d.ends) - 1)
}

func (d *dictionary) at(place uint32) []byte {
	begin := uint32(0)
	if place > 0 {
		begin = d.ends[place-1]
	}
	return d.text[begin:d.ends[place]]
}

func (d *dictionary) add(s string) uint32 {
	d.text = append(d.text, s...)
	d.lengths = binary.AppendUvarint(d.lengths, uint64(len(s)))
	d.ends = append(d.ends, uint32(len(d.text)))
	d.usedBy = append(d.usedBy, 0)
	return uint32(len(d.ends) - 1)
}

func (d *dictionary) grow() {
	d.table = make([]uint32, 2*len(d.table))
	mask := uint32(len(d.table) - 1)
	for place := range d.ends {
		at := uint32(maphash.Bytes(d.seed, d.at(uint32(place)))) & mask
		for d.table[at] != 0 {
			at = (at + 1) & mask
		}
		d.table[at] = uint32(place) + 1
	}
}
