package http2

import (
	"errors"
	"strings"
	"sync"

	"golang.org/x/net/http2/hpack"
)

const (
	// usualTable is the size of the dynamic table unless something else is agreed upon, in
	// bytes as RFC 7541, section 4.1, counts them.
	usualTable = 4096
	// largestTable is the largest that is followed.
	largestTable = 64 << 10
	// entryOverhead is what each entry counts beside its text.
	entryOverhead = 32
)

// table is the decoder of one direction's header fields, whose dynamic table it holds.
//
// A table of which some entries were not seen is filled with empty entries in their stead.
// The others' indices count from the last entry that was added, so they are the right ones
// once these have been added: what refers to an empty one is unknown. They are counted
// with no more bytes than the unseen ones have, so none that the peer may refer to is evicted
// too early.
type table struct {
	decoder *hpack.Decoder
	// fresh says that the table was seen from its beginning.
	fresh bool
	// size is that of the table which is filled.
	size uint32
	take func(name, value string)
}

// forget says that entries may have been missed.
func (t *table) forget() { t.decoder, t.fresh = nil, false }

// read takes a block of fields, or its beginning where it is cut, and calls take for each
// field, with an empty name for an unknown one. It returns false where b is no such block.
func (t *table) read(b []byte, cut bool, take func(name, value string)) bool {
	t.begin()
	t.take = take
	_, err := t.decoder.Write(b)
	if closing := t.decoder.Close(); err == nil && !cut {
		err = closing
	}
	t.take = nil
	switch {
	case err == nil && !cut:
		return true
	case refersBeyond(err) && !t.fresh && t.size < largestTable:
		t.forget()
		t.size = largestTable // a larger one was agreed upon before
		return true
	}
	t.forget()
	return err == nil
}

// refersBeyond reports whether err says that an entry is referred to that is not there.
func refersBeyond(err error) bool {
	var decoding hpack.DecodingError
	if !errors.As(err, &decoding) {
		return false
	}
	_, beyond := decoding.Err.(hpack.InvalidIndexError) //nolint:errorlint // it is not wrapped
	return beyond
}

// begin makes the decoder where there is none.
func (t *table) begin() {
	if t.decoder != nil {
		return
	}
	if t.size == 0 {
		t.size = usualTable
	}
	t.decoder = hpack.NewDecoder(t.size, nil)
	t.decoder.SetAllowedMaxDynamicTableSize(largestTable)
	if !t.fresh {
		fill := fillers()
		t.decoder.SetEmitEnabled(false)
		_, _ = t.decoder.Write([]byte(fill[:3*(t.size/entryOverhead)])) // it is one of ours
		_ = t.decoder.Close()
		t.decoder.SetEmitEnabled(true)
	}
	t.decoder.SetEmitFunc(func(f hpack.HeaderField) {
		if t.take != nil {
			t.take(f.Name, f.Value)
		}
	})
}

// fillers is a block that adds empty entries: RFC 7541, section 6.2.1.
var fillers = sync.OnceValue(func() string {
	return strings.Repeat("\x40\x00\x00", largestTable/entryOverhead)
})
